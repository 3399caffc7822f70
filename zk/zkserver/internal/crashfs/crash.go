// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package crashfs

import (
	"maps"
	"math/rand/v2"
	"slices"
)

// sector is what a disk writes at once, if not always as a whole.
const sector = 512

// Crash ends the directory and returns what a disk may hold after the power has
// failed: what is bound to be there, and anything of the rest.
func (fs *FS) Crash(rng *rand.Rand) *FS {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.crashed = true
	names := map[string]*inode{}
	assign(names, fs.durable)
	odds := newOdds(rng)
	for _, n := range fs.pending {
		if odds.hit() {
			assign(names, n)
		}
	}
	after := New(fs.name)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		after.Put(name, names[name].crash(rng))
	}
	return after
}

// Kill ends the directory and returns what it holds after the process was
// killed: everything that the system showed. What no sync has made durable is
// still not.
func (fs *FS) Kill() *FS {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.crashed = true
	after := New(fs.name)
	copies := map[*inode]*inode{nil: nil}
	clone := func(f *inode) *inode {
		if _, ok := copies[f]; !ok {
			copies[f] = &inode{slices.Clone(f.data), slices.Clone(f.durable), slices.Clone(f.pending)}
		}
		return copies[f]
	}
	for name, f := range fs.files {
		after.files[name] = clone(f)
	}
	for name, f := range fs.durable {
		after.durable[name] = clone(f)
	}
	for _, n := range fs.pending {
		c := naming{}
		for name, f := range n {
			c[name] = clone(f)
		}
		after.pending = append(after.pending, c)
	}
	return after
}

// odds say how likely each change since the last sync is to be there: sometimes
// none and sometimes all are.
type odds struct {
	*rand.Rand
	each float64
}

func newOdds(rng *rand.Rand) odds {
	return odds{rng, []float64{0, 0.5, 1}[rng.IntN(3)]}
}

func (o odds) hit() bool { return o.Float64() < o.each }

// crash returns the contents that are bound to be there with some of what was
// written since.
func (f *inode) crash(rng *rand.Rand) []byte {
	odds := newOdds(rng)
	b := slices.Clone(f.durable)
	for _, c := range f.pending {
		if c.data == nil {
			if odds.hit() {
				b = c.apply(b)
			}
			continue
		}
		// The length may be there without the contents.
		if end := c.off + int64(len(c.data)); odds.hit() {
			b = odds.extend(b, end)
		}
		b = odds.write(b, c)
	}
	return b
}

// extend lets a file have a length; what it gains are zeros, or what the disk had
// there before.
func (o odds) extend(b []byte, size int64) []byte {
	had := len(b)
	b = resize(b, max(int64(had), size))
	if o.IntN(2) == 0 {
		for i := had; i < len(b); i++ {
			b[i] = byte(o.Uint32()) //nolint:gosec // checked before
		}
	}
	return b
}

// write writes some of the sectors of a change, and of some only the beginning.
func (o odds) write(b []byte, c change) []byte {
	end := c.off + int64(len(c.data))
	for at := c.off; at < end; {
		next := min((at/sector+1)*sector, end)
		if piece := c.data[at-c.off : next-c.off]; o.hit() {
			if o.each < 1 && o.IntN(4) == 0 {
				piece = piece[:o.IntN(len(piece))]
			}
			b = overwrite(b, at, piece)
		}
		at = next
	}
	return b
}
