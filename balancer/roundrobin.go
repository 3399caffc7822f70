// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package balancer

import (
	"math"
	"sync/atomic"
)

// roundRobin is the policy "round_robin".
type roundRobin struct{}

func (roundRobin) Name() string { return "round_robin" }

func (roundRobin) NewPicker(candidates []Candidate, rnd func() float64) Picker {
	if len(candidates) == 0 {
		return noPicker{}
	}
	start := orDefault(rnd)()
	if uniform(candidates) {
		p := &uniformRing{list: candidates}
		p.sequence.Store(uint64(index(start, len(candidates)))) //nolint:gosec // an index
		return p
	}
	p := newStrata(candidates)
	// Anywhere in many rounds, so that who shares a stratum differs as well.
	p.sequence.Store(uint64(index(start, math.MaxInt32))) //nolint:gosec // an index
	return p
}

type uniformRing struct {
	list     []Candidate
	sequence atomic.Uint64
}

func (p *uniformRing) Pick(info PickInfo) *Endpoint {
	i := int((p.sequence.Add(1) - 1) % uint64(len(p.list))) //nolint:gosec // below the list's length
	if len(info.Tried) == 0 {
		return p.list[i].Endpoint
	}
	for range redraws {
		if e := p.list[i].Endpoint; !info.tried(e) {
			return e
		}
		i = int((p.sequence.Add(1) - 1) % uint64(len(p.list))) //nolint:gosec // below the list's length
	}
	return nextUntried(p.list, i, &info)
}

// strata are a round robin in proportion to weights, by systematic sampling: the
// endpoints lie on a line, each as long as its weight, which is cut into as many
// strata of one length as there are endpoints. A round picks once in each stratum,
// everywhere at the same offset, which moves on by the golden ratio from round to
// round. So each round gives an endpoint its share, rounded down or up, and the
// rounds together its share; and a pick takes one number of the sequence, whatever
// the weights are.
type strata struct {
	list  []Candidate
	parts []part    // the line
	cuts  []stratum // in the order in which a round visits them

	_        [64]byte // what follows changes with every pick, the rest never
	sequence atomic.Uint64
}

// A part of the line belongs to one endpoint. A stratum is 1<<32 long.
type part struct {
	begin    uint64
	endpoint *Endpoint
}

// A stratum is the stretch of the line with the number at, the part that it begins
// in, and the part that the next one begins in.
type stratum struct{ at, first, last uint32 }

func newStrata(list []Candidate) *strata {
	n := len(list)
	p := &strata{list: list, parts: make([]part, n), cuts: make([]stratum, n)}
	unit, place := float64(n)*(1<<32)/totalWeight(list), 0.0
	for i := range list {
		p.parts[i] = part{min(uint64(place*unit), uint64(n)<<32-1), list[i].Endpoint}
		place += list[i].weight()
	}
	firsts := make([]uint32, n+1) // the part that each stratum begins in
	for at, i := 0, 0; at < n; at++ {
		for i+1 < n && p.parts[i+1].begin <= uint64(at)<<32 {
			i++
		}
		firsts[at] = uint32(i)
	}
	firsts[n] = uint32(n - 1) //nolint:gosec // fewer endpoints than fit in memory
	// Those of one endpoint are neighbours on the line, and far apart in the round.
	for i, at := range goldenOrder(n) {
		p.cuts[i] = stratum{at, firsts[at], firsts[at+1]}
	}
	return p
}

// goldenOrder returns the numbers below n in the order of the fractions that their
// multiples of the golden ratio have. There are three distances between neighbours at
// most (Sós, 1958): so each is found from the one before it, without sorting.
func goldenOrder(n int) []uint32 {
	least, most := 1, 1 // whose fractions are the least and the greatest, but for 0
	for i := 2; i < n; i++ {
		switch h := uint64(i) * golden; {
		case h < uint64(least)*golden:
			least = i
		case h > uint64(most)*golden:
			most = i
		}
	}
	order := make([]uint32, n)
	at := 0
	for i := range order {
		order[i] = uint32(at)
		switch {
		case at < n-least:
			at += least
		case at < most:
			at += least - most
		default:
			at -= most
		}
	}
	return order
}

// next returns the endpoint whose turn it is.
func (p *strata) next() *Endpoint {
	sequence, n := p.sequence.Add(1)-1, uint64(len(p.cuts))
	cut, round := p.cuts[sequence%n], sequence/n
	at := uint64(cut.at)<<32 | round*golden>>32
	first, last := cut.first, cut.last
	for first < last {
		if mid := first + (last-first+1)/2; p.parts[mid].begin <= at {
			first = mid
		} else {
			last = mid - 1
		}
	}
	return p.parts[first].endpoint
}

func (p *strata) Pick(info PickInfo) *Endpoint {
	e := p.next()
	if len(info.Tried) == 0 {
		return e
	}
	for range redraws {
		if !info.tried(e) {
			return e
		}
		e = p.next()
	}
	return nextUntried(p.list, int(p.sequence.Load()%uint64(len(p.list))), &info) //nolint:gosec // below the list's length
}
