// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package balancer

// random is the policy "random".
type random struct{}

func (random) Name() string { return "random" }

func (random) NewPicker(candidates []*Endpoint, rnd func() float64) Picker {
	rnd = orDefault(rnd)
	switch {
	case len(candidates) == 0:
		return noPicker{}
	case uniform(candidates):
		return &uniformRandom{list: candidates, rnd: rnd}
	default:
		return &weightedRandom{list: candidates, cells: aliasTable(candidates), rnd: rnd}
	}
}

type uniformRandom struct {
	list []*Endpoint
	rnd  func() float64
}

func (p *uniformRandom) Pick(info PickInfo) *Endpoint {
	i := index(p.rnd(), len(p.list))
	if len(info.Tried) == 0 {
		return p.list[i]
	}
	for range redraws {
		if e := p.list[i]; !info.tried(e) {
			return e
		}
		i = index(p.rnd(), len(p.list))
	}
	return nextUntried(p.list, i, &info)
}

// weightedRandom picks from an alias table: one random number, two reads,
// however many candidates there are.
type weightedRandom struct {
	list  []*Endpoint
	cells []cell
	rnd   func() float64
}

// A cell is one of n equal shares of the calls. It goes to the endpoint of the
// same index up to the fraction keep, and to the endpoint other above it.
type cell struct {
	keep  float64
	other int32
}

// aliasTable distributes the weights over the cells (Vose, "A linear algorithm
// for generating random numbers with a given distribution", 1991).
func aliasTable(list []*Endpoint) []cell {
	var total float64
	for _, e := range list {
		total += float64(weightOf(e))
	}
	cells := make([]cell, len(list))
	var poor, rich []int32
	for i, e := range list {
		cells[i] = cell{keep: float64(weightOf(e)) * float64(len(list)) / total, other: int32(i)}
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

// draw returns a random index.
func (p *weightedRandom) draw() int {
	u := p.rnd() * float64(len(p.cells))
	i := min(max(int(u), 0), len(p.cells)-1)
	if c := p.cells[i]; u-float64(i) >= c.keep {
		return int(c.other)
	}
	return i
}

func (p *weightedRandom) Pick(info PickInfo) *Endpoint {
	i := p.draw()
	if len(info.Tried) == 0 {
		return p.list[i]
	}
	for range redraws {
		if e := p.list[i]; !info.tried(e) {
			return e
		}
		i = p.draw()
	}
	return nextUntried(p.list, i, &info)
}
