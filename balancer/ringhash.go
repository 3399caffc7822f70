// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package balancer

import (
	"cmp"
	"math"
	"slices"
)

// The defaults of [RingHashOptions].
const (
	DefaultRingHashBound = 1.25
	DefaultRingHashFloor = 8
)

// RingHashOptions say when a call leaves the instance of its hash because that has
// too many. The zero value is the default.
type RingHashOptions struct {
	// Bound is how many times its share of the client's calls in flight an instance
	// may have. 0: 1.25. Below 1: 1. Negative: any number; every call stays, however
	// much is at its instance.
	Bound float64

	// Floor is how many calls in flight an instance may have whatever its share
	// is: with few in all a share is less than one, and says nothing. 0: 8;
	// negative: none.
	Floor int
}

// NewRingHash returns the policy "ring_hash" with other bounds than [RingHash] has.
func NewRingHash(o RingHashOptions) Policy {
	switch {
	case o.Bound == 0:
		o.Bound = DefaultRingHashBound
	case o.Bound < 0 || math.IsNaN(o.Bound):
		o.Bound = math.Inf(1)
	default:
		o.Bound = max(o.Bound, 1)
	}
	if o.Floor == 0 {
		o.Floor = DefaultRingHashFloor
	}
	return ringHash{bound: o.Bound, floor: int64(o.Floor)}
}

const (
	// The ring is cut into 1<<ringBits slots. It has ringDensity points or more
	// for an instance of the mean weight, up to 16 times as many, and at most as
	// many in all as slots: from 650 equal instances on, each has fewer.
	ringBits    = 16
	ringDensity = 32

	// probes bounds the search for an instance that has room.
	probes = 32
)

// ringHash is the policy "ring_hash": consistent hashing (Karger et al., 1997)
// with bounded loads (Mirrokni, Thorup and Zadimoghaddam, 2018). Where an
// instance's points are depends on its ID alone, or on its address where it has
// none, and how many they are on its weight.
type ringHash struct {
	bound float64
	floor int64
}

func (ringHash) Name() string { return "ring_hash" }

func (h ringHash) NewPicker(candidates []Candidate, rnd func() float64) Picker {
	if len(candidates) == 0 {
		return noPicker{}
	}
	p := &ring{seats: newSeats(candidates), limits: h, unit: pointsPerWeight(candidates), rnd: orDefault(rnd)}
	p.place()
	return p
}

// successor moves what few candidates have on the ring, and leaves the rest. It takes
// the points over from the ring before.
func (h ringHash) successor(before Picker, list []Candidate, was []int32, rnd func() float64) Picker {
	p, unit := before.(*ring), pointsPerWeight(list)
	if unit != p.unit {
		return h.NewPicker(list, rnd)
	}
	var added, gone []point
	to := make([]uint32, len(p.list)) // by the index before, that now, and one; 0: it is gone
	for i, before := range was {
		if before >= 0 {
			to[before] = uint32(i) + 1
		} else {
			added = appendPoints(added, &list[i], uint32(i), unit)
		}
	}
	for i, now := range to {
		if now == 0 {
			gone = appendPoints(gone, &p.list[i], 0, unit)
		}
	}
	if len(added)+len(gone) > len(p.points.hashes)/16 {
		return h.NewPicker(list, rnd)
	}
	next := &ring{seats: p.successors(list, was), limits: h, unit: unit, points: p.points, rnd: orDefault(rnd)}
	p.points = nil
	next.points.renumber(to)
	next.points.add(added)
	swapped := next.points.settle()
	slots := make([]uint32, len(p.slots))
	for slot, index := range p.slots {
		slots[slot] = to[index] - 1
	}
	next.slots = slots
	for _, list := range [][]point{added, gone, swapped} {
		for i := range list {
			next.claim(list[i].hash)
		}
	}
	return next
}

// A ring is the circle of all hashes, with points on it that belong to
// instances. A hash belongs to the first point from the beginning of its slot on.
type ring struct {
	seats
	limits ringHash
	unit   float64  // how many points a weight of 1 has
	points *points  // of the last one of its line; Pick does not look at them
	slots  []uint32 // the index of whom a slot's hashes belong to
	rnd    func() float64
}

// points are all on a ring, in the order of their hashes; of one hash that of the
// first candidate is first.
type points struct {
	hashes []uint64
	owners []uint32 // the candidate's index
}

// A point belongs to the candidate with that index.
type point struct {
	hash  uint64
	index uint32
}

func slotOf(hash uint64) int { return int(hash >> (64 - ringBits)) }

// room reports whether an instance may have a call more, where each may have bound
// for a mean weight.
func (p *ring) room(i int, bound float64) bool {
	seat := &p.each[i]
	return seat.load.inFlight.Load() < p.limits.floor || seat.calls() < bound
}

// pointsPerWeight returns how many points a weight of 1 has: a power of 16, so
// that it stays the same while the mean weight changes a little, unless the
// points become too many.
func pointsPerWeight(list []Candidate) float64 {
	total := totalWeight(list)
	unit := math.Pow(16, math.Ceil(math.Log2(ringDensity*float64(len(list))/total)/4))
	for unit*total > 1<<ringBits {
		unit /= 2
	}
	return unit
}

// pointsOf returns how many points a candidate has.
func pointsOf(c *Candidate, unit float64) int { return max(1, int(math.Round(c.weight()*unit))) }

// pointHash returns where an identity has its k-th point.
func pointHash(id uint64, k int) uint64 { return mix(id + uint64(k)*golden) } //nolint:gosec // a count

// appendPoints adds the points of a candidate.
func appendPoints(list []point, c *Candidate, index uint32, unit float64) []point {
	id := identityHash(c.Endpoint)
	for k := range pointsOf(c, unit) {
		list = append(list, point{pointHash(id, k), index})
	}
	return list
}

// place puts the points on the ring: each about where it belongs, for hashes are spread
// evenly, and then in order.
func (p *ring) place() {
	slots := make([]uint32, 1<<ringBits) // how many points each has
	ids := make([]uint64, len(p.list))
	for i := range p.list {
		ids[i] = identityHash(p.list[i].Endpoint)
		for k := range pointsOf(&p.list[i], p.unit) {
			slots[slotOf(pointHash(ids[i], k))]++
		}
	}
	total := uint32(0)
	for slot, count := range slots { // now where the first is
		slots[slot] = total
		total += count
	}
	hashes, owners := make([]uint64, total), make([]uint32, total, total+1)
	for i := range p.list {
		for k := range pointsOf(&p.list[i], p.unit) {
			h := pointHash(ids[i], k)
			at := slots[slotOf(h)]
			slots[slotOf(h)]++ // in the end where the first of the next slot is
			hashes[at], owners[at] = h, uint32(i)
		}
	}
	for i := range hashes {
		for ; i > 0 && hashes[i] < hashes[i-1]; i-- {
			hashes[i], hashes[i-1] = hashes[i-1], hashes[i]
			owners[i], owners[i-1] = owners[i-1], owners[i]
		}
	}
	owners = append(owners, owners[0]) // after the last point comes the first
	for slot := len(slots) - 1; slot > 0; slot-- {
		slots[slot] = owners[slots[slot-1]]
	}
	slots[0] = owners[0]
	p.points, p.slots = &points{hashes, owners[:total]}, slots
}

// renumber gives the points the index, less one, that to has for their owner's; 0: they
// go.
func (p *points) renumber(to []uint32) {
	n := 0
	for i, owner := range p.owners {
		if now := to[owner]; now > 0 {
			p.hashes[n], p.owners[n] = p.hashes[i], now-1
			n++
		}
	}
	p.hashes, p.owners = p.hashes[:n], p.owners[:n]
}

// add puts points among the others.
func (p *points) add(added []point) {
	slices.SortFunc(added, func(a, b point) int { return cmp.Compare(a.hash, b.hash) })
	end := len(p.hashes)
	p.hashes = slices.Grow(p.hashes, len(added))[:end+len(added)]
	p.owners = slices.Grow(p.owners, len(added))[:end+len(added)]
	for k, point := range slices.Backward(added) {
		at, _ := slices.BinarySearch(p.hashes[:end], point.hash)
		copy(p.hashes[at+k+1:end+k+1], p.hashes[at:end])
		copy(p.owners[at+k+1:end+k+1], p.owners[at:end])
		p.hashes[at+k], p.owners[at+k] = point.hash, point.index
		end = at
	}
}

// settle puts points of one hash into the order of their owners, and returns those that
// it moves. Only those of one ID at several addresses have one.
func (p *points) settle() (moved []point) {
	for i := 1; i < len(p.hashes); i++ {
		for j := i; j > 0 && p.hashes[j] == p.hashes[j-1] && p.owners[j] < p.owners[j-1]; j-- {
			p.owners[j], p.owners[j-1] = p.owners[j-1], p.owners[j]
			moved = append(moved, point{p.hashes[j], p.owners[j-1]})
		}
	}
	return moved
}

// claim says whom the hashes belong to that a point there has, or had.
func (p *ring) claim(hash uint64) {
	hashes := p.points.hashes
	first, _ := slices.BinarySearch(hashes, hash)
	owner := p.points.owners[0]
	if first < len(hashes) {
		owner = p.points.owners[first]
	}
	if first == 0 { // it comes after the last one too
		for slot := slotOf(hashes[len(hashes)-1]) + 1; slot < len(p.slots); slot++ {
			p.slots[slot] = p.points.owners[0]
		}
	}
	for slot := slotOf(hash); slot >= 0 && (first == 0 || slot > slotOf(hashes[first-1])); slot-- {
		p.slots[slot] = owner
	}
}

func (p *ring) Pick(info PickInfo) *Endpoint {
	h := info.Hash
	if h == 0 {
		h = uint64(index(p.rnd(), math.MaxInt32)) //nolint:gosec // an index
	}
	// Each may have the calls of its share, rounded up, this one counted.
	bound := p.limits.bound * float64(p.watch.inFlight.Load()+1) / float64(len(p.list))
	var second *Endpoint
	for range probes {
		// Going on to the neighbour instead would send it all that one has no
		// room for.
		h = mix(h + golden)
		i := int(p.slots[h>>(64-ringBits)])
		e := p.list[i].Endpoint
		if len(info.Tried) > 0 && info.tried(e) {
			continue
		}
		if p.room(i, bound) {
			return e
		}
		if second == nil {
			second = e
		}
	}
	if second != nil {
		return second
	}
	return nextUntried(p.list, int(h%uint64(len(p.list))), &info) //nolint:gosec // below the list's length
}

// identityHash is FNV-1a of an instance's ID, or of its address where it has
// none.
func identityHash(e *Endpoint) uint64 {
	const offset, prime = 14695981039346656037, 1099511628211
	h := uint64(offset)
	text := e.Instance.ID
	if text == "" {
		text = e.Instance.Host
		h = (h ^ uint64(e.Instance.Port)) * prime //nolint:gosec // a port
	}
	for i := range len(text) {
		h = (h ^ uint64(text[i])) * prime
	}
	return h
}

// golden is 2^64 divided by the golden ratio: the step of SplitMix64.
const golden = 0x9e3779b97f4a7c15

// mix spreads what differs in some bits over all (the finalizer of SplitMix64).
func mix(h uint64) uint64 {
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}
