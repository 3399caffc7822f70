// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package balancer

import "time"

// p2c is the policy "p2c": the power of two choices (Mitzenmacher, 1996) with an
// estimate of the latency that is quick to rise and slow to come down, as in
// Finagle's "peak EWMA", and a floor of exploration: see explore.
type p2c struct{}

func (p2c) Name() string { return "p2c" }

func (p2c) NewPicker(candidates []Candidate, rnd func() float64) Picker {
	if len(candidates) == 0 {
		return noPicker{}
	}
	return newTwoChoices(newSeats(candidates), orDefault(rnd))
}

func (p2c) successor(before Picker, list []Candidate, was []int32, rnd func() float64) Picker {
	return newTwoChoices(before.(*twoChoices).successors(list, was), orDefault(rnd))
}

func newTwoChoices(s seats, rnd func() float64) *twoChoices {
	p := &twoChoices{seats: s, rnd: rnd}
	if !uniform(s.list) {
		p.cells = newAliasTable(s.list)
	}
	return p
}

type twoChoices struct {
	seats
	cells aliasTable // nil: all weights are the same
	rnd   func() float64
}

func (p *twoChoices) Pick(info PickInfo) *Endpoint {
	now := p.watch.at(info.Now)
	if len(info.Tried) == 0 {
		a, b := p.draw()
		return p.list[p.choose(a, b, now)].Endpoint
	}
	for range redraws {
		i, j := p.draw()
		a, b := p.list[i].Endpoint, p.list[j].Endpoint
		switch aTried, bTried := info.tried(a), info.tried(b); {
		case !aTried && !bTried:
			return p.list[p.choose(i, j, now)].Endpoint
		case !aTried:
			return a
		case !bTried:
			return b
		}
	}
	return nextUntried(p.list, index(p.rnd(), len(p.list)), &info)
}

// draw returns two indexes, different ones where it can.
func (p *twoChoices) draw() (a, b int) {
	n := len(p.list)
	if p.cells != nil {
		a, b = p.cells.draw(p.rnd()), p.cells.draw(p.rnd())
		if a != b {
			return a, b
		}
		return a, other(a, p.rnd(), n)
	}
	u := p.rnd() * float64(n)
	a = min(max(int(u), 0), n-1)
	// The fraction of the number that drew the first draws the second.
	return a, other(a, u-float64(a), n)
}

// other returns the index below n, other than i where there is one, that a number
// in [0, 1) stands for.
func other(i int, u float64, n int) int {
	if n == 1 {
		return i
	}
	j := index(u, n-1)
	if j >= i {
		j++
	}
	return j
}

// choose returns one of two: the one with the shorter wait, but where it is busy only
// for a part of its calls.
func (p *twoChoices) choose(a, b int, now int64) int {
	best := p.shorter(a, b, now)
	busy := p.each[best].load.busy(now)
	if busy == 0 || p.rnd() >= busy {
		return best
	}
	if other := a + b - best; p.rnd() >= p.each[other].load.busy(now) {
		return other
	}
	return best
}

// shorter returns which of two has the shorter wait, a where there is no telling;
// or the other one, where it is time to find out whether it still is the slow one.
func (p *twoChoices) shorter(a, b int, now int64) int {
	aSeat, bSeat := &p.each[a], &p.each[b]
	aTime, bTime := aSeat.load.fadedPeak(now), bSeat.load.fadedPeak(now)
	// Who is not known yet is taken to be as fast as the other: to be equal is
	// enough to be found out, and does not draw a crowd.
	if aTime == 0 {
		aTime = bTime
	}
	if bTime == 0 {
		bTime = aTime
	}
	aTime, bTime = max(aTime, aSeat.load.silence(now)), max(bTime, bSeat.load.silence(now))
	aCalls, bCalls := aSeat.calls(), bSeat.calls()
	// Latencies within a factor of two are taken for the same: noise is not to
	// choose, and the calls in flight tell of a small difference soon enough.
	slow := aTime > 2*bTime || bTime > 2*aTime
	if slow {
		aCalls, bCalls = wait(aTime, aCalls), wait(bTime, bCalls)
	}
	// Who is passed over for being slow is tried now and then: one answer that took
	// long must not be the last.
	switch {
	case bCalls < aCalls && slow && bTime < aTime && aSeat.load.explore(now, bTime):
		return a
	case bCalls < aCalls:
		return b
	case slow && aTime < bTime && bSeat.load.explore(now, aTime):
		return b
	}
	return a
}

// wait returns how long a call may take where so many others are in flight.
func wait(latency time.Duration, calls float64) float64 { return float64(latency) * (calls + 1) }
