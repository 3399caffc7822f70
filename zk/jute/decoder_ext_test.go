// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package jute_test

import (
	"bytes"
	"errors"
	"math"
	"testing"

	"github.com/rollcall-rpc/rollcall/zk/jute"
)

// A length that is negative or longer than what is left fails, names itself,
// and costs no memory.
func TestHostileLengths(t *testing.T) {
	reads := map[string]func(*jute.Decoder){
		"buffer":  func(d *jute.Decoder) { d.Buffer() },
		"string":  func(d *jute.Decoder) { _ = d.String() },
		"strings": func(d *jute.Decoder) { d.Strings() },
		"acls":    func(d *jute.Decoder) { d.ACLs() },
		"count":   func(d *jute.Decoder) { d.Count(1) },
	}
	for name, read := range reads {
		for _, n := range []int32{-2, math.MinInt32, 9, math.MaxInt32} {
			b := append(jute.AppendInt(nil, n), make([]byte, 8)...)
			d := jute.NewDecoder(b)
			read(&d)
			if _, ok := errors.AsType[*jute.DecodeError](d.Err()); !ok {
				t.Errorf("%s of length %d: error %v, want a *DecodeError", name, n, d.Err())
			}
			allocs := testing.AllocsPerRun(10, func() {
				d := jute.NewDecoder(b)
				read(&d)
			})
			if allocs > 6 { // the error itself
				t.Errorf("%s of length %d: %v allocations", name, n, allocs)
			}
		}
	}
}

func TestNullValues(t *testing.T) {
	null := jute.AppendInt(nil, -1)
	d := jute.NewDecoder(bytes.Repeat(null, 5))
	if got := d.Buffer(); got != nil {
		t.Errorf("Buffer = %v, want nil", got)
	}
	if got := d.String(); got != "" {
		t.Errorf("String = %q, want empty", got)
	}
	if got, ok := d.NullString(); got != "" || ok {
		t.Errorf("NullString = %q, %v, want empty, false", got, ok)
	}
	if got := d.Strings(); got != nil {
		t.Errorf("Strings = %v, want nil", got)
	}
	if got := d.ACLs(); got != nil {
		t.Errorf("ACLs = %v, want nil", got)
	}
	if d.Err() != nil {
		t.Errorf("Err = %v, want nil", d.Err())
	}
	d = jute.NewDecoder(make([]byte, 12))
	if got := d.Buffer(); got == nil || len(got) != 0 {
		t.Errorf("Buffer of length 0 = %v, want empty and not nil", got)
	}
	if got := d.Strings(); got == nil || len(got) != 0 {
		t.Errorf("Strings of length 0 = %v, want empty and not nil", got)
	}
}

// A server that reads a null vector in a setWatches must answer with a
// marshalling error.
func TestSetWatchesNullVector(t *testing.T) {
	b := jute.AppendLong(nil, 7)
	b = jute.AppendStrings(jute.AppendStrings(b, nil), nil)
	d := jute.NewDecoder(jute.AppendInt(b, -1))
	var r jute.SetWatchesRequest
	r.Decode(&d)
	if d.Err() == nil {
		t.Error("a null vector was accepted")
	}
}

func TestFirstFailureSticks(t *testing.T) {
	d := jute.NewDecoder([]byte{0, 0, 0})
	d.Int()
	first := d.Err()
	if first == nil {
		t.Fatal("3 bytes were an int")
	}
	if d.Bool() || d.Long() != 0 || d.Buffer() != nil || d.String() != "" || d.Strings() != nil || d.ACLs() != nil {
		t.Error("a read behind a failure returned something")
	}
	if !errors.Is(d.Err(), first) {
		t.Errorf("Err = %v, want the first failure %v", d.Err(), first)
	}
	if d.Len() != 3 {
		t.Errorf("%d bytes left, want 3: a failed read takes nothing", d.Len())
	}
}

// An operation that may not stand in a multi ends the decoding.
func TestMultiRefuses(t *testing.T) {
	for _, op := range []jute.OpCode{jute.OpGetData, jute.OpMulti, jute.OpPing, 999} {
		h := jute.MultiHeader{Op: op, Err: -1}
		b := h.Append(nil)
		d := jute.NewDecoder(b)
		var req jute.MultiRequest
		if req.Decode(&d); d.Err() == nil {
			t.Errorf("%v was accepted in a multi", op)
		}
		d = jute.NewDecoder(b)
		var resp jute.MultiResponse
		if resp.Decode(&d); d.Err() == nil {
			t.Errorf("a result of %v was accepted in a multi", op)
		}
	}
}

func TestNames(t *testing.T) {
	for got, want := range map[string]string{
		jute.ErrNoNode.String():            "no node",
		jute.ErrCode(-77).String():         "error -77",
		jute.OpCode(77).String():           "op 77",
		jute.EventNodeDeleted.String():     "NodeDeleted",
		jute.EventType(77).String():        "event 77",
		jute.EventNone.String():            "None",
		jute.OpSetWatches2.String():        "setWatches2",
		jute.ErrOk.String():                "ok",
		jute.EventNodeCreated.String():     "NodeCreated",
		jute.ErrSessionExpired.String():    "session expired",
		jute.ErrQuotaExceeded.String():     "quota exceeded",
		jute.ErrUnimplemented.String():     "unimplemented",
		jute.OpCloseSession.String():       "closeSession",
		jute.EventNodeDataChanged.String(): "NodeDataChanged",
	} {
		if got != want {
			t.Errorf("String = %q, want %q", got, want)
		}
	}
}
