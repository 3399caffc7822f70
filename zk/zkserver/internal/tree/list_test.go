// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/rollcall-rpc/rollcall/zk/jute"
)

// TestListsOfVersions changes a list around the length from which on it is kept,
// and reads it in every version, at once, later and again.
func TestListsOfVersions(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	b := begun()
	b.create1("/p", 0)
	tr := b.Commit()
	want := func(tr *Tree) {
		t.Helper()
		n := tr.Get("/p")
		for range 2 {
			if got, want := tr.AppendChildren(nil, n), tr.appendChildren(nil, n); !bytes.Equal(got, want) {
				t.Fatalf("zxid %d, %d children: got %q, want %q", tr.zxid, n.children, got, want)
			}
		}
	}
	var versions []*Tree
	for range 300 {
		b := tr.Begin()
		for range 1 + r.IntN(4) {
			path := fmt.Sprintf("/p/%03d", r.IntN(2*longList))
			switch {
			case r.IntN(8) == 0:
				b.at(1, Request{Op: jute.OpSetData, Path: "/p", Version: jute.AnyVersion})
			case b.get(path) == nil:
				b.create1(path, 0)
			default:
				b.at(1, Request{Op: jute.OpDelete, Path: path, Version: jute.AnyVersion})
			}
			if r.IntN(4) == 0 {
				want(b.Snapshot())
			}
		}
		tr = b.Commit()
		versions = append(versions, tr)
		if r.IntN(2) == 0 {
			want(tr)
		}
	}
	for _, tr := range versions {
		want(tr)
	}
	if loaded, err := loaded(chunksOf(t, tr)); err != nil || loaded.Get("/p").children < longList/2 {
		t.Fatalf("loaded: %v", err)
	} else {
		want(loaded)
	}
}
