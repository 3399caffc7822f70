// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package tree

import "slices"

const (
	// maxItems is how many items a page of a btree has at most: 32 words, one of
	// them for the item that makes it split.
	maxItems = 31
	// minItems is how many it has at least, unless it is the root.
	minItems = 8
)

// A btree is an ordered set of items, and a value: a copy is a version. A change
// copies the pages it goes through, unless they are of the generation at work,
// which nobody else has seen. So whoever keeps a copy must change further ones
// under a greater generation only.
//
// Where an item belongs is said by a function that compares items with a key:
// negative for those before it, 0 for the item itself, positive for those behind.
type btree[T any] struct {
	root *page[T]
	len  int
}

// A page has one kid more than items, or is a leaf and has none: each item stands
// between two kids.
type page[T any] struct {
	gen   uint64
	items []T
	kids  []*page[T]
}

// get returns an item.
func (t *btree[T]) get(at func(T) int) (item T, ok bool) {
	for p := t.root; p != nil; {
		i, found := p.find(at)
		switch {
		case found:
			return p.items[i], true
		case p.kids == nil:
			return item, false
		}
		p = p.kids[i]
	}
	return item, false
}

// ascend calls f with the items that are not before a key, in order, until f
// returns false.
func (t *btree[T]) ascend(from func(T) int, f func(T) bool) {
	if t.root != nil {
		t.root.ascend(from, f)
	}
}

// all calls f with all items in order, until f returns false.
func (t *btree[T]) all(f func(T) bool) { t.ascend(func(T) int { return 1 }, f) }

// put adds an item, or puts it in the place of the one that was there.
func (t *btree[T]) put(gen uint64, item T, at func(T) int) {
	if t.root == nil {
		t.root = newPage[T](gen, false)
	}
	t.root = t.root.writable(gen)
	if t.root.put(gen, item, at) {
		t.len++
	}
	if len(t.root.items) > maxItems {
		above := newPage[T](gen, true)
		above.kids = append(above.kids, t.root)
		above.split(gen, 0, maxItems/2)
		t.root = above
	}
}

// remove removes an item, which must be there.
func (t *btree[T]) remove(gen uint64, at func(T) int) {
	t.root = t.root.writable(gen)
	t.root.remove(gen, at)
	t.len--
	if len(t.root.items) == 0 {
		if t.root.kids == nil {
			t.root = nil
		} else {
			t.root = t.root.kids[0]
		}
	}
}

// newPage has room for what makes it split.
func newPage[T any](gen uint64, inner bool) *page[T] {
	p := &page[T]{gen: gen, items: make([]T, 0, maxItems+1)}
	if inner {
		p.kids = make([]*page[T], 0, maxItems+2)
	}
	return p
}

// writable returns the page to change: p itself or a copy.
func (p *page[T]) writable(gen uint64) *page[T] {
	if p.gen == gen {
		return p
	}
	c := newPage[T](gen, p.kids != nil)
	c.items = append(c.items, p.items...)
	c.kids = append(c.kids, p.kids...)
	return c
}

// kid makes a kid writable and returns it.
func (p *page[T]) kid(gen uint64, i int) *page[T] {
	p.kids[i] = p.kids[i].writable(gen)
	return p.kids[i]
}

// find returns the index of the first item that is not before a key, and whether
// it is the one.
func (p *page[T]) find(at func(T) int) (i int, found bool) {
	low, high := 0, len(p.items)
	for low < high {
		mid := int(uint(low+high) >> 1)
		switch c := at(p.items[mid]); {
		case c < 0:
			low = mid + 1
		case c == 0:
			return mid, true
		default:
			high = mid
		}
	}
	return low, false
}

func (p *page[T]) ascend(from func(T) int, f func(T) bool) bool {
	i, found := p.find(from)
	if p.kids != nil && !found && !p.kids[i].ascend(from, f) {
		return false
	}
	for ; i < len(p.items); i++ {
		if !f(p.items[i]) || p.kids != nil && !p.kids[i+1].each(f) {
			return false
		}
	}
	return true
}

func (p *page[T]) each(f func(T) bool) bool {
	if p.kids != nil && !p.kids[0].each(f) {
		return false
	}
	for i := range p.items {
		if !f(p.items[i]) || p.kids != nil && !p.kids[i+1].each(f) {
			return false
		}
	}
	return true
}

// put reports whether the item is a new one. The page may have one too many then.
func (p *page[T]) put(gen uint64, item T, at func(T) int) bool {
	i, found := p.find(at)
	switch {
	case found:
		p.items[i] = item
		return false
	case p.kids == nil:
		p.items = slices.Insert(p.items, i, item)
		return true
	}
	kid := p.kid(gen, i)
	added := kid.put(gen, item, at)
	if len(kid.items) > maxItems {
		p.split(gen, i, kid.where(at))
	}
	return added
}

// where returns where a page should be split after a put: behind what was put,
// for most keys ascend and the next will stand there.
func (p *page[T]) where(at func(T) int) int {
	i, _ := p.find(at)
	return min(max(i, minItems), len(p.items)-1-minItems)
}

// split splits a kid: its item at an index goes up, those behind it into a new
// page.
func (p *page[T]) split(gen uint64, i, at int) {
	left := p.kids[i]
	right := newPage[T](gen, left.kids != nil)
	up := left.items[at]
	right.items = append(right.items, left.items[at+1:]...)
	left.items = shorten(left.items, at)
	if left.kids != nil {
		right.kids = append(right.kids, left.kids[at+1:]...)
		left.kids = shorten(left.kids, at+1)
	}
	p.items = slices.Insert(p.items, i, up)
	p.kids = slices.Insert(p.kids, i+1, right)
}

// shorten cuts a slice, and lets go of what stood behind.
func shorten[E any](s []E, n int) []E {
	clear(s[n:])
	return s[:n]
}

// remove removes an item. The page may have too few then.
func (p *page[T]) remove(gen uint64, at func(T) int) {
	i, found := p.find(at)
	switch {
	case p.kids == nil && found:
		p.items = slices.Delete(p.items, i, i+1)
	case p.kids == nil:
		panic("tree: an item to be removed is not there") //nolint:forbidigo // a broken invariant
	case found:
		p.items[i] = p.kid(gen, i).removeLast(gen)
		p.fill(gen, i)
	default:
		p.kid(gen, i).remove(gen, at)
		p.fill(gen, i)
	}
}

// removeLast removes the last item below a page and returns it.
func (p *page[T]) removeLast(gen uint64) T {
	last := len(p.items) - 1
	if p.kids == nil {
		item := p.items[last]
		p.items = shorten(p.items, last)
		return item
	}
	item := p.kid(gen, last+1).removeLast(gen)
	p.fill(gen, last+1)
	return item
}

// fill gives a kid that has too few items some of its neighbour's, or makes one
// page of the two.
func (p *page[T]) fill(gen uint64, i int) {
	if len(p.kids[i].items) >= minItems {
		return
	}
	l := max(i-1, 0)
	left, right := p.kid(gen, l), p.kids[l+1]
	if len(left.items)+1+len(right.items) <= maxItems {
		left.items = append(append(left.items, p.items[l]), right.items...)
		left.kids = append(left.kids, right.kids...)
		p.items = slices.Delete(p.items, l, l+1)
		p.kids = slices.Delete(p.kids, l+1, l+2)
		return
	}
	right = p.kid(gen, l+1)
	if l == i {
		left.items = append(left.items, p.items[l])
		p.items[l] = right.items[0]
		right.items = slices.Delete(right.items, 0, 1)
		if right.kids != nil {
			left.kids = append(left.kids, right.kids[0])
			right.kids = slices.Delete(right.kids, 0, 1)
		}
		return
	}
	last := len(left.items) - 1
	right.items = slices.Insert(right.items, 0, p.items[l])
	p.items[l] = left.items[last]
	left.items = shorten(left.items, last)
	if left.kids != nil {
		right.kids = slices.Insert(right.kids, 0, left.kids[last+1])
		left.kids = shorten(left.kids, last+1)
	}
}
