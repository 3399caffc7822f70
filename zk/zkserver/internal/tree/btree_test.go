// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"cmp"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

func atInt(key int) func(int) int { return func(i int) int { return cmp.Compare(i, key) } }

// wantPages checks the shape of a btree: sizes, depth, order, generations.
func wantPages(t *testing.T, b *btree[int], gen uint64) {
	t.Helper()
	var depthOf func(p *page[int], root bool) int
	depthOf = func(p *page[int], root bool) int {
		if len(p.items) > maxItems || len(p.items) < minItems && !root || p.gen > gen || len(p.items) == 0 {
			t.Fatalf("a page of %d items and generation %d of %d", len(p.items), p.gen, gen)
		}
		if p.kids == nil {
			return 1
		}
		if len(p.kids) != len(p.items)+1 {
			t.Fatalf("a page of %d items has %d kids", len(p.items), len(p.kids))
		}
		depth := depthOf(p.kids[0], false)
		for _, kid := range p.kids[1:] {
			if depthOf(kid, false) != depth {
				t.Fatal("the leaves are not at one depth")
			}
		}
		return depth + 1
	}
	if b.root != nil {
		depthOf(b.root, true)
	}
}

// TestBtreeModel makes random changes in many versions and compares each version
// with a map, when it is made and at the end.
func TestBtreeModel(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	type version struct {
		tree btree[int]
		want []int
	}
	var versions []version
	var tr btree[int]
	model := map[int]struct{}{}
	for gen := range uint64(300) {
		grow := r.IntN(3) > 0
		if gen > 250 { // and to nothing at the end
			grow = false
		}
		next, ascending := r.IntN(5000), r.IntN(2) == 0
		for range r.IntN(200) {
			key := r.IntN(5000)
			if ascending {
				next++
				key = next
			}
			_, ok := model[key]
			if got, found := tr.get(atInt(key)); found != ok || ok && got != key {
				t.Fatalf("get %d: got %d %t, want %t", key, got, found, ok)
			}
			switch {
			case grow:
				model[key] = struct{}{}
				tr.put(gen, key, atInt(key))
			case ok:
				delete(model, key)
				tr.remove(gen, atInt(key))
			}
		}
		wantPages(t, &tr, gen)
		versions = append(versions, version{tr, slices.Sorted(maps.Keys(model))})
	}
	for gen, v := range versions {
		if got := items(&v.tree); !slices.Equal(got, v.want) || v.tree.len != len(v.want) {
			t.Fatalf("version %d: got %v, want %v", gen, got, v.want)
		}
		from := r.IntN(5000)
		var got []int
		v.tree.ascend(atInt(from), func(i int) bool {
			got = append(got, i)
			return len(got) < 40
		})
		i, _ := slices.BinarySearch(v.want, from)
		if want := v.want[i:min(i+40, len(v.want))]; !slices.Equal(got, want) {
			t.Fatalf("version %d from %d: got %v, want %v", gen, from, got, want)
		}
	}
}

// TestBtreeEmpties removes everything, from either end and from the middle.
func TestBtreeEmpties(t *testing.T) {
	const n = 3000
	for name, order := range map[string]func(i int) int{
		"ascending": func(i int) int { return i }, "descending": func(i int) int { return n - 1 - i },
		"mixed": func(i int) int { return i * 1009 % n },
	} {
		var tr btree[int]
		for i := range n {
			tr.put(uint64(i/100), order(i), atInt(order(i)))
		}
		for i := range n {
			tr.remove(uint64(100+i/100), atInt(order(i)))
			if i%100 == 99 {
				wantPages(t, &tr, uint64(100+i/100))
			}
		}
		if tr.root != nil || tr.len != 0 {
			t.Errorf("%s: %d items are left", name, tr.len)
		}
	}
}

// TestLookupsDoNotAllocate holds what reads cost.
func TestLookupsDoNotAllocate(t *testing.T) {
	b := begun()
	for _, path := range []string{"/a", "/a/a-name-that-is-longer-than-thirty-two-bytes"} {
		b.create1(path, 0)
	}
	tr := b.Commit()
	path := []byte("/a/a-name-that-is-longer-than-thirty-two-bytes")
	n := tr.Get("/a")
	if got := testing.AllocsPerRun(100, func() {
		if tr.GetBytes(path) == nil {
			t.Error("not found")
		}
		tr.Children(n, func(string) bool { return true })
	}); got > 0 {
		t.Errorf("got %g allocations, want none", got)
	}
}
