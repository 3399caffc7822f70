// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package balancer

import (
	"testing"
	"time"
)

// answered notes calls that took so long, at the epoch.
func answered(e *Endpoint, latency time.Duration, calls int) {
	for range calls {
		e.Start(epoch)
		e.Finish(epoch, latency, OutcomeAnswered)
	}
}

// sharesAt returns how many of so many picks each endpoint gets at a time since
// the epoch, without any of them being made.
func sharesAt(list []*Endpoint, at time.Duration, picks int) []int {
	p := P2C.NewPicker(candidates(list), seeded(8))
	index := make(map[*Endpoint]int)
	for i, e := range list {
		index[e] = i
	}
	got := make([]int, len(list))
	for range picks {
		got[index[p.Pick(PickInfo{Now: epoch.Add(at)})]]++
	}
	return got
}

func TestP2CHeedsTheLatency(t *testing.T) {
	list := measured(repeat(100, 4)...)
	for i, latency := range []time.Duration{10, 12, 19, 100} {
		answered(list[i], latency*time.Millisecond, 50) //nolint:durationcheck // latency counts milliseconds
	}
	got := sharesAt(list, 0, 3000)
	if got[3] != 0 {
		t.Errorf("10 times slower than the others: got %d picks, want none", got[3])
	}
	for i, n := range got[:3] { // each slow one's pair goes to the other
		if n < 900 || n > 1100 {
			t.Errorf("endpoint %d, within a factor of two: got %d of 3000 picks, want 1000", i, n)
		}
	}
	// What is not asked becomes worth asking.
	for _, e := range list[:3] {
		e.Start(epoch.Add(40 * time.Second))
		e.Finish(epoch.Add(40*time.Second), 10*time.Millisecond, OutcomeAnswered)
	}
	if got := sharesAt(list, 40*time.Second, 3000); got[3] < 600 {
		t.Errorf("40 s later: got %v picks, want many of the last", got)
	}
}

func TestP2CHeedsTheCallsInFlight(t *testing.T) {
	list := measured(100, 100, 200)
	for i, calls := range []int{2, 1, 3} {
		answered(list[i], 10*time.Millisecond, 1)
		for range calls {
			list[i].Start(epoch)
		}
	}
	got := sharesAt(list, 0, 3000)
	// For their weights the last has 1.5 calls in flight.
	if got[0] > 600 || got[1] < 1200 || got[2] < got[0]+300 {
		t.Errorf("2, 1 and 3 in flight, the last of twice the weight: got %v picks", got)
	}
}

func TestP2CHeedsSilence(t *testing.T) {
	list := measured(repeat(100, 3)...)
	for _, e := range list {
		answered(e, 10*time.Millisecond, 1)
	}
	list[0].Start(epoch)
	list[1].Start(epoch.Add(95 * time.Millisecond))
	list[2].Start(epoch.Add(95 * time.Millisecond))
	got := sharesAt(list, 100*time.Millisecond, 3000)
	if got[0] != 0 {
		t.Errorf("with a call that has heard nothing for 10 times as long: got %d picks, want none", got[0])
	}
}

func TestP2CDoesNotStampede(t *testing.T) {
	// Whoever is not known yet is taken for as fast as the other: it gets calls,
	// and not more than the others have in flight.
	list := measured(repeat(100, 10)...)
	for _, e := range list[1:] {
		answered(e, 10*time.Millisecond, 1)
	}
	p := P2C.NewPicker(candidates(list), seeded(9))
	for range 200 {
		p.Pick(PickInfo{Now: epoch}).Start(epoch)
	}
	if n := list[0].InFlight(); n < 15 || n > 25 {
		t.Errorf("a new one of ten: got %d of 200 calls in flight, want about 20", n)
	}
}

func TestP2CIsNotDrawnToFailures(t *testing.T) {
	list := measured(repeat(100, 3)...)
	for _, e := range list {
		answered(e, 10*time.Millisecond, 1)
	}
	for range 2 {
		list[0].Start(epoch)
		list[0].Finish(epoch, time.Microsecond, OutcomeError)
	}
	if got := sharesAt(list, 0, 3000); got[0] != 0 {
		t.Errorf("one that failed twice, fast: got %d picks, want none", got[0])
	}
}
