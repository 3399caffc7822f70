// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package balancer

import (
	"cmp"
	"math"
	"slices"
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
		p.sequence.Store(uint64(index(start, len(candidates))))
		return p
	}
	p := newStride(candidates)
	// Anywhere in many rounds, so that the skips differ as well.
	p.sequence.Store(uint64(index(start, math.MaxInt32)))
	return p
}

type uniformRing struct {
	list     []Candidate
	sequence atomic.Uint64
}

func (p *uniformRing) Pick(info PickInfo) *Endpoint {
	i := int((p.sequence.Add(1) - 1) % uint64(len(p.list)))
	if len(info.Tried) == 0 {
		return p.list[i].Endpoint
	}
	for range redraws {
		if e := p.list[i].Endpoint; !info.tried(e) {
			return e
		}
		i = int((p.sequence.Add(1) - 1) % uint64(len(p.list)))
	}
	return nextUntried(p.list, i, &info)
}

// stride is the static stride scheduler of gRFC A58: the sequence number walks
// around the ring, and a stop of half the greatest weight is skipped every other
// round. Two things differ. Weights are not clamped: an endpoint much heavier
// than the mean has several stops that share its weight, so that a pick skips
// few stops whatever the weights are. And the stops' phases are shifted against
// each other by the golden ratio, not by a half, so that light stops do not come
// in bursts.
type stride struct {
	list     []Candidate
	ring     []stop
	top      uint64 // the greatest weight of a stop
	shift    uint64 // between the phases of a stop and the next
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
func newStride(list []Candidate) *stride {
	n, mean := float64(len(list)), totalWeight(list)/float64(len(list))
	type placed struct {
		stop
		at float64
	}
	stops := make([]placed, 0, len(list)+len(list)/2+1)
	for i := range list {
		w := list[i].weight()
		parts := max(1, math.Ceil(w/(2*mean)))
		own := (float64(i) + 0.5) / n
		for k := range int(parts) {
			at := (float64(k) + own) / parts
			stops = append(stops, placed{stop{list[i].Endpoint, uint64(w / parts * 65536)}, at})
		}
	}
	slices.SortStableFunc(stops, func(a, b placed) int { return cmp.Compare(a.at, b.at) })
	p := &stride{list: list, ring: make([]stop, len(stops))}
	for i := range stops {
		p.ring[i] = stops[i].stop
		p.top = max(p.top, stops[i].weight)
	}
	p.shift = uint64(float64(p.top) * (math.Phi - 1))
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
		if (w*round+i*p.shift)%p.top >= p.top-w {
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
