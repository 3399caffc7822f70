// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package balancer

import (
	"cmp"
	"slices"
	"sync/atomic"
)

// roundRobin is the policy "round_robin".
type roundRobin struct{}

func (roundRobin) Name() string { return "round_robin" }

func (roundRobin) NewPicker(candidates []*Endpoint, rnd func() float64) Picker {
	if len(candidates) == 0 {
		return noPicker{}
	}
	start := orDefault(rnd)()
	if uniform(candidates) {
		p := &uniformRing{list: candidates}
		p.sequence.Store(uint64(index(start, len(candidates))))
		return p
	}
	p := newStride(candidates)
	// Anywhere in the first 2^16 rounds, so that the skips differ as well.
	p.sequence.Store(uint64(index(start, len(p.ring)<<16)))
	return p
}

type uniformRing struct {
	list     []*Endpoint
	sequence atomic.Uint64
}

func (p *uniformRing) Pick(info PickInfo) *Endpoint {
	i := int((p.sequence.Add(1) - 1) % uint64(len(p.list)))
	if len(info.Tried) == 0 {
		return p.list[i]
	}
	for range redraws {
		if e := p.list[i]; !info.tried(e) {
			return e
		}
		i = int((p.sequence.Add(1) - 1) % uint64(len(p.list)))
	}
	return nextUntried(p.list, i, &info)
}

// stride is the static stride scheduler of gRFC A58: the sequence number walks
// around the ring, and in each round a stop is skipped as often as its weight
// is below the greatest. Unlike there, weights are not clamped: an endpoint much
// heavier than the mean has several stops that share its weight, so that a pick
// skips few stops whatever the weights are.
type stride struct {
	list     []*Endpoint
	ring     []stop
	top      uint64 // the greatest weight of a stop
	sequence atomic.Uint64
}

// A stop is a place on the ring. Its weight is in units of 1/65536.
type stop struct {
	endpoint *Endpoint
	weight   uint64
}

// newStride lays out the ring: there are at most half again as many stops as
// endpoints (plus one), none heavier than twice the mean weight, and those of
// one endpoint are spread evenly.
func newStride(list []*Endpoint) *stride {
	var total int
	for _, e := range list {
		total += weightOf(e)
	}
	type placed struct {
		stop
		at float64
	}
	stops := make([]placed, 0, len(list)+len(list)/2+1)
	for i, e := range list {
		w := weightOf(e)
		// ceil(w / (2 × mean)), in whole numbers.
		parts := max(1, (w*len(list)+2*total-1)/(2*total))
		own := (float64(i) + 0.5) / float64(len(list))
		for k := range parts {
			at := (float64(k) + own) / float64(parts)
			stops = append(stops, placed{stop{e, uint64(w) << 16 / uint64(parts)}, at})
		}
	}
	slices.SortStableFunc(stops, func(a, b placed) int { return cmp.Compare(a.at, b.at) })
	p := &stride{list: list, ring: make([]stop, len(stops))}
	for i := range stops {
		p.ring[i] = stops[i].stop
		p.top = max(p.top, stops[i].weight)
	}
	return p
}

// next returns the index of the next stop that is not skipped.
func (p *stride) next() int {
	n := uint64(len(p.ring))
	// The heaviest stop is never skipped, so one round is enough unless other
	// goroutines keep taking it; whoever is that unlucky takes what comes.
	for range 2 * n {
		sequence := p.sequence.Add(1) - 1
		i, round := sequence%n, sequence/n
		w := p.ring[i].weight
		// A58 shifts the stops against each other by half a weight, so that
		// light ones do not fire in the same round.
		if (w*round+i*(p.top/2))%p.top >= p.top-w {
			return int(i)
		}
	}
	return int((p.sequence.Add(1) - 1) % n)
}

func (p *stride) Pick(info PickInfo) *Endpoint {
	e := p.ring[p.next()].endpoint
	if len(info.Tried) == 0 {
		return e
	}
	for range redraws {
		if !info.tried(e) {
			return e
		}
		e = p.ring[p.next()].endpoint
	}
	return nextUntried(p.list, int(p.sequence.Load()%uint64(len(p.list))), &info)
}
