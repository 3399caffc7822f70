// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package crashfs

import (
	"maps"
	"math/rand/v2"
	"slices"
)

// sector is what a disk writes as a whole.
const sector = 512

// Crash ends the directory and returns what a disk may hold after the power has
// failed: what is bound to be there, and anything of the rest.
func (fs *FS) Crash(rng *rand.Rand) *FS {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.crashed = true
	// How likely each change since the last sync is to be there: sometimes none
	// and sometimes all are.
	odds := []float64{0, 0.5, 1}[rng.IntN(3)]
	names := map[string]*inode{}
	assign(names, fs.durable)
	for _, n := range fs.pending {
		if rng.Float64() < odds {
			assign(names, n)
		}
	}
	after := New(fs.name)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		after.Put(name, names[name].crash(rng, odds))
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

// crash returns the contents that are bound to be there with some of the sectors
// written since.
func (f *inode) crash(rng *rand.Rand, odds float64) []byte {
	b := slices.Clone(f.durable)
	for _, c := range f.pending {
		if c.data == nil {
			if rng.Float64() < odds {
				b = c.apply(b)
			}
			continue
		}
		end := c.off + int64(len(c.data))
		for at := c.off; at < end; {
			next := min((at/sector+1)*sector, end)
			if rng.Float64() < odds {
				b = overwrite(b, at, c.data[at-c.off:next-c.off])
			}
			at = next
		}
		// The length may be there without the contents.
		if rng.Float64() < odds/2 {
			b = resize(b, max(int64(len(b)), end))
		}
	}
	return b
}
