// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-rpc/rollcall/zk/jute"
)

// begun returns a batch with one session, 1.
func begun() *Batch {
	b := New(0).Begin()
	b.Do(&Request{Op: OpOpenSession, Session: 1, Version: 1000}, 1, 1)
	return b
}

func (b *Batch) create1(path string, flags int32) Outcome {
	return b.Do(&Request{Op: jute.OpCreate, Session: 1, Path: path, ACL: WorldAnyone(), Flags: flags}, b.Zxid()+1, 1)
}

func TestValidPath(t *testing.T) {
	for path, want := range map[string]bool{
		"/": true, "": false, "a": false, "/a": true, "/a/": false, "//": false, "/a//b": false,
		"/.": false, "/..": false, "/a/./b": false, "/a/../b": false, "/a/.x": true, "/a/...": true, "/..x/y": true,
		"/a\x00": false, "/\x01": false, "/\x1f": false, "/ ": true, "/\x7f": false, "/\u0080": false, "/\u009f": false,
		"/\u00a0": true, "/é": true, "/\ud7ff": true, "/\ue000": false, "/\uf8ff": false, "/\uf900": true, "/\uffef": true,
		"/\ufff0": false, "/\ufffd": false, "/\uffff": false, "/😀": false, "/\xff": false, "/a\xc3": false, "/\xed\xa0\x80": false,
	} {
		if got := ValidPath(path); got != want {
			t.Errorf("%q: got %t, want %t", path, got, want)
		}
	}
}

func TestPlaces(t *testing.T) {
	for path, want := range map[string]place{
		"/": {"/", 0}, "": {"/", 0}, "/a": {"/a", 0}, "/a/b": {"/a/b", 2}, "/a/b/c": {"/a/b/c", 4},
		"a": {}, "//": {}, "//a": {}, "/a//b": {}, "x/": {"x/", 1},
	} {
		if got, ok := placeOf(path); got != want || ok != (want != place{}) {
			t.Errorf("%q: got %v %t, want %v", path, got, ok, want)
		}
	}
	// Each stands before the next.
	ordered := []string{"/", "/a", "/a!", "/b", "/a/b", "/a/c", "/a!/a", "/a/b/c", "/a/b!/c", "/b/a"}
	for i, path := range ordered {
		at, _ := placeOf(path)
		for j, other := range ordered {
			to, _ := placeOf(other)
			if got, want := at.compare(newNode(to)), min(max(j-i, -1), 1); got != want {
				t.Errorf("%q against %q: got %d, want %d", other, path, got, want)
			}
		}
	}
}

// What no node has must not be found under another's key.
func TestGetOddPaths(t *testing.T) {
	b := begun()
	b.create1("/a", 0)
	b.create1("/a/b", 0)
	tr := b.Commit()
	for _, path := range []string{
		"a", "/a/", "//a", "/a//b", "/a\x00b", "\x00", "/\x00a", "x", "/a/b/", "///", "/" + strings.Repeat("x", 512),
	} {
		if n := tr.Get(path); n != nil {
			t.Errorf("%q: got %q, want none", path, n.Path)
		}
	}
	long := "/" + strings.Repeat("x", 512)
	b = tr.Begin()
	b.create1(long, 0)
	if n := b.Commit().GetBytes([]byte(long)); n == nil || n.Path != long {
		t.Errorf("long path: got %v", n)
	}
}

// The counter of sequential names stops at the greatest int32: then names are
// taken, and other children still come and go.
func TestSequenceSaturates(t *testing.T) {
	b := begun()
	b.create1("/p", 0)
	b.get("/p").created = math.MaxInt32 - 1
	for _, want := range []struct {
		path string
		err  jute.ErrCode
	}{{"/p/n2147483646", 0}, {"/p/n2147483647", 0}, {"", jute.ErrNodeExists}, {"", jute.ErrNodeExists}} {
		out := b.create1("/p/n", jute.FlagPersistentSequential)
		if out.Path != want.path || out.Err != want.err {
			t.Errorf("got %q %v, want %q %v", out.Path, out.Err, want.path, want.err)
		}
	}
	if out := b.create1("/p/other", 0); out.Err != 0 {
		t.Errorf("another child: got %v, want ok", out.Err)
	}
	stat := b.get("/p").Stat()
	if stat.Pzxid != b.Zxid() || stat.Cversion != -2-3 || stat.NumChildren != 3 {
		t.Errorf("got %+v, want pzxid %d, cversion -5, 3 children", stat, b.Zxid())
	}
}

func TestVersionsWrap(t *testing.T) {
	b := begun()
	b.create1("/p", 0)
	b.get("/p").version = math.MaxInt32
	out := b.Do(&Request{Op: jute.OpSetData, Session: 1, Path: "/p", Version: math.MaxInt32}, b.Zxid()+1, 1)
	if out.Err != 0 || out.Stat.Version != math.MinInt32 {
		t.Errorf("got %v, version %d, want ok, %d", out.Err, out.Stat.Version, math.MinInt32)
	}
}

func TestEventsOfMulti(t *testing.T) {
	b := begun()
	op := func(op jute.OpCode, path string) Request {
		return Request{Op: op, Path: path, Version: -1, ACL: WorldAnyone()}
	}
	out := b.Do(&Request{Op: jute.OpMulti, Session: 1, Ops: []Request{
		op(jute.OpCreate, "/a"), op(jute.OpCreate, "/a/b"), op(jute.OpSetData, "/a"), op(jute.OpSetACL, "/a"), op(jute.OpDelete, "/a/b"),
	}}, b.Zxid()+1, 1)
	var got []string
	for _, e := range out.Events {
		got = append(got, e.Type.String()+" "+e.Path)
	}
	want := []string{
		"NodeCreated /a", "NodeChildrenChanged /", "NodeCreated /a/b", "NodeChildrenChanged /a",
		"NodeDataChanged /a", "NodeDeleted /a/b", "NodeChildrenChanged /a",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestApplyRefuses(t *testing.T) {
	for name, txn := range map[string]Txn{
		"old zxid":        {Zxid: 5},
		"unknown kind":    {Zxid: 6, Changes: []Change{{Kind: 99}}},
		"no parent":       {Zxid: 6, Changes: []Change{{Kind: ChangeCreate, Path: "/a/b"}}},
		"taken":           {Zxid: 6, Changes: []Change{{Kind: ChangeCreate, Path: "/zookeeper"}}},
		"root":            {Zxid: 6, Changes: []Change{{Kind: ChangeCreate, Path: "/"}}},
		"bad path":        {Zxid: 6, Changes: []Change{{Kind: ChangeCreate, Path: "/a//b"}}},
		"delete missing":  {Zxid: 6, Changes: []Change{{Kind: ChangeDelete, Path: "/a"}}},
		"delete built-in": {Zxid: 6, Changes: []Change{{Kind: ChangeDelete, Path: jute.QuotaPath}}},
		"delete parent":   {Zxid: 6, Changes: []Change{{Kind: ChangeDelete, Path: jute.SystemPath}}},
		"set missing":     {Zxid: 6, Changes: []Change{{Kind: ChangeSetData, Path: "/a"}}},
		"setACL missing":  {Zxid: 6, Changes: []Change{{Kind: ChangeSetACL, Path: "/a"}}},
		"close, missing":  {Zxid: 6, Changes: []Change{{Kind: ChangeCloseSession, Owner: 1, Paths: []string{"/a"}}}},
	} {
		if tr, err := New(5).Apply([]Txn{txn}); err == nil || tr != nil {
			t.Errorf("%s: got %v, %v; want an error", name, tr, err)
		}
	}
}

func BenchmarkSetData(b *testing.B) {
	tr := filled(10_000)
	data := make([]byte, 128)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		batch := tr.Begin()
		for range 100 {
			i++
			batch.Do(&Request{Op: jute.OpSetData, Session: 1, Path: "/n/" + strconv.Itoa(i%10_000), Data: data, Version: -1}, batch.Zxid()+1, 1)
		}
		tr = batch.Commit()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/set")
}

func BenchmarkCreateDelete(b *testing.B) {
	tr := filled(10_000)
	b.ReportAllocs()
	for b.Loop() {
		batch := tr.Begin()
		for i := range 50 {
			batch.create1(fmt.Sprintf("/n/x%d", i), 0)
		}
		for i := range 50 {
			batch.Do(&Request{Op: jute.OpDelete, Session: 1, Path: fmt.Sprintf("/n/x%d", i), Version: -1}, batch.Zxid()+1, 1)
		}
		tr = batch.Commit()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/op-of-batch")
}

func BenchmarkGet(b *testing.B) {
	tr := filled(10_000)
	path := []byte("/n/5000")
	b.ReportAllocs()
	for b.Loop() {
		if tr.GetBytes(path) == nil {
			b.Fatal("no node")
		}
	}
}

func filled(n int) *Tree {
	b := begun()
	b.create1("/n", 0)
	for i := range n {
		b.create1("/n/"+strconv.Itoa(i), 0)
	}
	return b.Commit()
}

// TestExpandedACLIsLimited: a list of many "auth" entries by somebody with many
// identities does not become one without bounds.
func TestExpandedACLIsLimited(t *testing.T) {
	var who []Identity
	for i := range 60 {
		who = append(who, Identity{SchemeDigest, fmt.Sprintf("user%d:%s", i, strings.Repeat("x", 28))})
	}
	list := func(n int) []jute.ACL {
		acl := make([]jute.ACL, n)
		for i := range acl {
			acl[i] = jute.ACL{Perms: int32(i), Scheme: SchemeAuth}
		}
		return acl
	}
	b := begun()
	for n, want := range map[int]jute.ErrCode{100: jute.ErrOk, 60_000: jute.ErrInvalidACL} {
		r := Request{Op: jute.OpCreate, Session: 1, Who: who, Path: fmt.Sprintf("/n%d", n), ACL: list(n)}
		if out := b.Do(&r, b.Zxid()+1, 1); out.Err != want {
			t.Errorf("%d entries: got %v, want %v", n, out.Err, want)
		}
	}
}
