// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zk

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rollcall-rpc/rollcall/zk/jute"
)

// The batches hold every path once, in its own list, and no frame is longer
// than the limit.
func TestBatches(t *testing.T) {
	table := newWatchTable()
	long := strings.Repeat("x", 1000)
	const n = 500
	for i := range n {
		path := fmt.Sprintf("/%s%d", long, i)
		for kind := range oneShotKinds {
			table.addOneShot(kind, path, make(chan Event, 1))
		}
		table.add(&Watch{path: path, mode: Persistent})
		table.add(&Watch{path: path, mode: PersistentRecursive})
		table.add(&Watch{path: path, mode: PersistentRecursive})
	}
	batches, armed := table.batches(77)
	if len(armed) != 3*n {
		t.Errorf("%d watches armed, want %d", len(armed), 3*n)
	}
	var lists [5]map[string]bool
	for i := range lists {
		lists[i] = make(map[string]bool)
	}
	for i := range batches {
		b := &batches[i]
		if b.RelativeZxid != 77 {
			t.Errorf("zxid %d, want 77", b.RelativeZxid)
		}
		if size := len(encode(jute.OpSetWatches2, -8, b, 0)); size > maxSetWatchesBytes {
			t.Errorf("batch %d has %d bytes", i, size)
		}
		for j, list := range [][]string{b.Data, b.Exist, b.Child, b.Persistent, b.PersistentRecursive} {
			for _, path := range list {
				if lists[j][path] {
					t.Errorf("a path stands twice in list %d", j)
				}
				lists[j][path] = true
			}
		}
	}
	for j := range lists {
		if len(lists[j]) != n {
			t.Errorf("list %d has %d paths, want %d", j, len(lists[j]), n)
		}
	}
	if len(batches) > 25 {
		t.Errorf("%d batches for 2.5 MB", len(batches))
	}
	path := fmt.Sprintf("/%s%d", long, 3)
	batches, armed = table.batches(1, path)
	if len(batches) != 1 || len(batches[0].Data) != 1 || len(batches[0].PersistentRecursive) != 1 || len(armed) != 3 {
		t.Errorf("%d batches, %d watches of one path, want 1 and 3", len(batches), len(armed))
	}
	empty := newWatchTable()
	if batches, armed := empty.batches(1); len(batches) != 0 || len(armed) != 0 {
		t.Error("an empty table has batches")
	}
}
