// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package jute_test

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-rpc/rollcall/zk/jute"
)

// Every operation that has a constant has a row with a name and both records,
// once. Notifications and errors are not requests.
func TestOpTable(t *testing.T) {
	constants := []jute.OpCode{
		jute.OpCreate, jute.OpDelete, jute.OpExists, jute.OpGetData, jute.OpSetData, jute.OpGetACL,
		jute.OpSetACL, jute.OpGetChildren, jute.OpSync, jute.OpPing, jute.OpGetChildren2, jute.OpCheck,
		jute.OpMulti, jute.OpCreate2, jute.OpReconfig, jute.OpCheckWatches, jute.OpRemoveWatches,
		jute.OpCreateContainer, jute.OpCreateTTL, jute.OpMultiRead, jute.OpAuth, jute.OpSetWatches, jute.OpSASL,
		jute.OpGetEphemerals, jute.OpGetAllChildrenNumber, jute.OpSetWatches2, jute.OpAddWatch, jute.OpWhoAmI,
		jute.OpCloseSession,
	}
	names := make(map[string]bool)
	for _, op := range jute.Ops() {
		if names[op.Name] || op.Name == "" {
			t.Errorf("name %q of op %d is empty or stands there twice", op.Name, op.Code)
		}
		names[op.Name] = true
		if op.NewRequest == nil || op.NewResponse == nil {
			t.Fatalf("%s has no request or no response", op.Name)
		}
		if op.NewRequest() == op.NewRequest() && reflect.TypeOf(op.NewRequest()).Elem().Size() > 0 {
			t.Errorf("%s: NewRequest returns one record twice", op.Name)
		}
		if got, ok := jute.Lookup(op.Code); !ok || got.Name != op.Name {
			t.Errorf("Lookup(%d) = %q, %v, want %q", op.Code, got.Name, ok, op.Name)
		}
		if got := op.Code.String(); got != op.Name {
			t.Errorf("OpCode(%d).String() = %q, want %q", op.Code, got, op.Name)
		}
	}
	if got, want := len(jute.Ops()), len(constants); got != want {
		t.Errorf("the table has %d rows, want %d", got, want)
	}
	for _, code := range constants {
		if _, ok := jute.Lookup(code); !ok {
			t.Errorf("op %d has no row", code)
		}
	}
	for _, code := range []jute.OpCode{jute.OpNotification, jute.OpError, 10, 20, 999} {
		if _, ok := jute.Lookup(code); ok {
			t.Errorf("op %d has a row", code)
		}
	}
}

// fill sets every field that v holds to something random. Vectors are never
// nil, for a nil one is written as an empty one; buffers may be.
func fill(rng *rand.Rand, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		fill(rng, v.Elem())
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[jute.MultiOp]() {
			fillMultiOp(rng, v.Addr().Interface().(*jute.MultiOp))
			return
		}
		for _, field := range v.Fields() {
			fill(rng, field)
		}
		switch r := v.Addr().Interface().(type) {
		case *jute.MultiResult:
			fillMultiResult(rng, r)
		case *jute.MultiReadOp:
			r.Op = []jute.OpCode{jute.OpGetData, jute.OpGetChildren}[rng.IntN(2)]
		case *jute.MultiReadResult:
			fillMultiReadResult(rng, r)
		}
	case reflect.Slice:
		n := rng.IntN(4)
		if v.Type().Elem().Kind() == reflect.Uint8 && n == 3 {
			return // a nil buffer
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fill(rng, v.Index(i))
		}
	case reflect.Uint8:
		v.SetUint(rng.Uint64N(256))
	case reflect.Int32, reflect.Int64:
		v.SetInt(int64(rng.Uint64()) >> rng.IntN(64))
		if v.Kind() == reflect.Int32 {
			v.SetInt(int64(int32(v.Int())))
		}
	case reflect.Bool:
		v.SetBool(rng.IntN(2) == 1)
	case reflect.String:
		v.SetString([]string{"", "/", "/a", "/ä/\x00", "/\xff"}[rng.IntN(5)])
	default:
		panic("a record has a field of kind " + v.Kind().String())
	}
}

func fillMultiOp(rng *rand.Rand, op *jute.MultiOp) {
	op.Op = []jute.OpCode{
		jute.OpCreate, jute.OpCreate2, jute.OpDelete, jute.OpSetData, jute.OpCheck, jute.OpCreateContainer, jute.OpCreateTTL,
	}[rng.IntN(7)]
	row, _ := jute.Lookup(op.Op)
	op.Request = row.NewRequest()
	fill(rng, reflect.ValueOf(op.Request))
}

func fillMultiResult(rng *rand.Rand, r *jute.MultiResult) {
	full := *r
	*r = jute.MultiResult{Op: []jute.OpCode{jute.OpCreate, jute.OpCreate2, jute.OpDelete, jute.OpSetData, jute.OpCheck, jute.OpError}[rng.IntN(6)]}
	switch r.Op {
	case jute.OpCreate:
		r.Path = full.Path
	case jute.OpCreate2:
		r.Path, r.Stat = full.Path, full.Stat
	case jute.OpSetData:
		r.Stat = full.Stat
	case jute.OpError:
		r.Err = full.Err
	}
}

func fillMultiReadResult(rng *rand.Rand, r *jute.MultiReadResult) {
	full := *r
	*r = jute.MultiReadResult{Op: []jute.OpCode{jute.OpGetData, jute.OpGetChildren, jute.OpError}[rng.IntN(3)]}
	switch r.Op {
	case jute.OpGetData:
		r.Data, r.Stat = full.Data, full.Stat
	case jute.OpGetChildren:
		r.Children = full.Children
	case jute.OpError:
		r.Err = full.Err
	}
}

// records returns a constructor of every record of the protocol, by name.
func records() map[string]func() jute.Record {
	m := map[string]func() jute.Record{
		"connect request":  newRecord[jute.ConnectRequest],
		"connect response": newRecord[jute.ConnectResponse],
		"request header":   newRecord[jute.RequestHeader],
		"reply header":     newRecord[jute.ReplyHeader],
		"multi header":     newRecord[jute.MultiHeader],
		"watcher event":    newRecord[jute.WatcherEvent],
	}
	for _, op := range jute.Ops() {
		m[op.Name+" request"] = op.NewRequest
		m[op.Name+" response"] = op.NewResponse
	}
	return m
}

// Every record survives the way to bytes and back, leaves what stands behind it
// alone, and fails without a panic when cut short at any byte.
func TestRoundTrip(t *testing.T) {
	for name, empty := range records() {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(100) {
				rng := rand.New(rand.NewPCG(seed, 1))
				want := empty()
				fill(rng, reflect.ValueOf(want))
				normalise(want)
				b := want.Append(nil)
				checkDecode(t, seed, empty, b, want)
				checkCut(t, seed, empty, b)
			}
		})
	}
}

// normalise clears what is not on the wire: a read-only flag without its field.
func normalise(r jute.Record) {
	switch r := r.(type) {
	case *jute.ConnectRequest:
		r.ReadOnly = r.ReadOnly && r.HasReadOnly
	case *jute.ConnectResponse:
		r.ReadOnly = r.ReadOnly && r.HasReadOnly
	case *jute.MultiRequest:
		if len(r.Ops) == 0 {
			r.Ops = nil
		}
	case *jute.MultiResponse:
		if len(r.Results) == 0 {
			r.Results = nil
		}
	case *jute.MultiReadRequest:
		if len(r.Ops) == 0 {
			r.Ops = nil
		}
	case *jute.MultiReadResponse:
		if len(r.Results) == 0 {
			r.Results = nil
		}
	}
}

func checkDecode(t *testing.T, seed uint64, empty func() jute.Record, b []byte, want jute.Record) {
	t.Helper()
	tail := []byte("tail")
	switch want.(type) {
	case *jute.ConnectRequest, *jute.ConnectResponse:
		tail = nil // the last field is there if bytes are
	}
	got := empty()
	d := jute.NewDecoder(append(slices.Clip(b), tail...))
	got.Decode(&d)
	if d.Err() != nil {
		t.Fatalf("seed %d: %v", seed, d.Err())
	}
	if string(d.Rest()) != string(tail) {
		t.Fatalf("seed %d: %d bytes left, want %d", seed, d.Len(), len(tail))
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Fatalf("seed %d: differs (-got +want):\n%s", seed, diff)
	}
}

func checkCut(t *testing.T, seed uint64, empty func() jute.Record, b []byte) {
	t.Helper()
	for n := range b {
		d := jute.NewDecoder(b[:n])
		r := empty()
		r.Decode(&d)
		if d.Err() != nil {
			continue
		}
		// Only the optional last byte of a handshake may be missing.
		switch r.(type) {
		case *jute.ConnectRequest, *jute.ConnectResponse:
			if n == len(b)-1 {
				continue
			}
		}
		t.Fatalf("seed %d: %d of %d bytes were enough", seed, n, len(b))
	}
}
