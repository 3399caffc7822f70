// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package balancer

import "math"

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
	p := &ring{seats: newSeats(candidates), limits: h, rnd: orDefault(rnd)}
	p.place(pointsPerWeight(candidates))
	return p
}

// A ring is the circle of all hashes, with points on it that belong to
// instances. A hash belongs to the first point from the beginning of its slot on.
type ring struct {
	seats
	limits ringHash
	slots  []uint32 // the index of whom a slot's hashes belong to
	rnd    func() float64
}

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

// place puts the points on the ring.
func (p *ring) place(unit float64) {
	p.slots = make([]uint32, 1<<ringBits)
	first := make([]uint64, 1<<ringBits) // the complement of a slot's first point; 0: it has none
	for i := range p.list {
		id := identityHash(p.list[i].Endpoint)
		for k := range max(1, int(math.Round(p.list[i].weight()*unit))) {
			h := mix(id + uint64(k)*golden)
			if slot := h >> (64 - ringBits); ^h > first[slot] {
				first[slot], p.slots[slot] = ^h, uint32(i)
			}
		}
	}
	// The first point after the last slot is that of the first which has one.
	var next uint32
	for slot := range p.slots {
		if first[slot] != 0 {
			next = p.slots[slot]
			break
		}
	}
	for slot := len(p.slots) - 1; slot >= 0; slot-- {
		if first[slot] == 0 {
			p.slots[slot] = next
		}
		next = p.slots[slot]
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
