// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package balancer

// random is the policy "random".
type random struct{}

func (random) Name() string { return "random" }

func (random) NewPicker(candidates []Candidate, rnd func() float64) Picker {
	rnd = orDefault(rnd)
	switch {
	case len(candidates) == 0:
		return noPicker{}
	case uniform(candidates):
		return &uniformRandom{list: candidates, rnd: rnd}
	default:
		return &weightedRandom{list: candidates, cells: newAliasTable(candidates), rnd: rnd}
	}
}

type uniformRandom struct {
	list []Candidate
	rnd  func() float64
}

func (p *uniformRandom) Pick(info PickInfo) *Endpoint {
	i := index(p.rnd(), len(p.list))
	if len(info.Tried) == 0 {
		return p.list[i].Endpoint
	}
	for range redraws {
		if e := p.list[i].Endpoint; !info.tried(e) {
			return e
		}
		i = index(p.rnd(), len(p.list))
	}
	return nextUntried(p.list, i, &info)
}

// weightedRandom picks from an alias table: one random number, two reads,
// however many candidates there are.
type weightedRandom struct {
	list  []Candidate
	cells aliasTable
	rnd   func() float64
}

// A cell is one of n equal shares of the calls. It goes to the endpoint of the
// same index up to the fraction keep, and to the endpoint other above it.
type cell struct {
	keep  float64
	other int32
}

// An aliasTable draws indexes in proportion to weights (Vose, "A linear
// algorithm for generating random numbers with a given distribution", 1991).
type aliasTable []cell

func newAliasTable(list []Candidate) aliasTable {
	mean := totalWeight(list) / float64(len(list))
	cells := make([]cell, len(list))
	poor, rich := make([]int32, 0, len(list)), make([]int32, 0, len(list))
	for i := range list {
		cells[i] = cell{keep: list[i].weight() / mean, other: int32(i)}
		if cells[i].keep < 1 {
			poor = append(poor, int32(i))
		} else {
			rich = append(rich, int32(i))
		}
	}
	for len(poor) > 0 && len(rich) > 0 {
		p, r := poor[len(poor)-1], rich[len(rich)-1]
		poor = poor[:len(poor)-1]
		cells[p].other = r
		cells[r].keep -= 1 - cells[p].keep
		if cells[r].keep < 1 {
			rich = rich[:len(rich)-1]
			poor = append(poor, r)
		}
	}
	// What is left differs from 1 by rounding alone, and is its own other.
	return cells
}

// draw returns the index that a number in [0, 1) stands for.
func (t aliasTable) draw(u float64) int {
	u *= float64(len(t))
	i := min(max(int(u), 0), len(t)-1)
	if c := t[i]; u-float64(i) >= c.keep {
		return int(c.other)
	}
	return i
}

func (p *weightedRandom) Pick(info PickInfo) *Endpoint {
	i := p.cells.draw(p.rnd())
	if len(info.Tried) == 0 {
		return p.list[i].Endpoint
	}
	for range redraws {
		if e := p.list[i].Endpoint; !info.tried(e) {
			return e
		}
		i = p.cells.draw(p.rnd())
	}
	return nextUntried(p.list, i, &info)
}
