// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package balancer

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

const ringKeys = 20_000

// owners returns who gets each of the first ringKeys hashes.
func owners(list []*Endpoint) []*Endpoint {
	p := RingHash.NewPicker(candidates(list), nil)
	got := make([]*Endpoint, ringKeys)
	for i := range got {
		got[i] = p.Pick(PickInfo{Hash: uint64(i + 1)})
	}
	return got
}

func TestRingHashMovesLittle(t *testing.T) {
	for _, n := range []int{2, 10, 300, 3000} {
		list := measured(repeat(100, n)...)
		before := owners(list)
		shuffled := slices.Clone(list)
		slices.Reverse(shuffled)
		if !slices.Equal(owners(shuffled), before) {
			t.Errorf("%d instances in another order: got other owners", n)
		}
		gone := list[n/2]
		moved := 0
		for i, e := range owners(slices.Delete(slices.Clone(list), n/2, n/2+1)) {
			if e != before[i] && before[i] != gone {
				t.Fatalf("%d instances, one leaves: hash %d, which was not its, moved", n, i+1)
			}
			if e != before[i] {
				moved++
			}
		}
		if n < 1000 && (moved < ringKeys/n/2 || moved > ringKeys/n*2) {
			t.Errorf("%d instances, one leaves: got %d hashes moved, want about %d", n, moved, ringKeys/n)
		}
	}
}

func TestRingHashGrowsWithTheWeight(t *testing.T) {
	// In slow start a weight changes in steps: what it gains is all that moves.
	list := measured(repeat(100, 10)...)
	cs := candidates(list)
	var before []*Endpoint
	for _, weight := range []float64{10, 50, 90, 100} {
		cs[3].Weight = weight
		p := RingHash.NewPicker(cs, nil)
		var now []*Endpoint
		own := 0
		for i := range ringKeys {
			e := p.Pick(PickInfo{Hash: uint64(i + 1)})
			if before != nil && e != before[i] && e != list[3] {
				t.Fatalf("weight %v: hash %d moved to one whose weight stayed", weight, i+1)
			}
			if now = append(now, e); e == list[3] {
				own++
			}
		}
		before = now
		if want := ringKeys * weight / (900 + weight); float64(own) < want/2 || float64(own) > want*2 {
			t.Errorf("weight %v of 900 more: got %d hashes, want about %.0f", weight, own, want)
		}
	}
}

func TestRingHashBoundsTheLoad(t *testing.T) {
	list := measured(100, 100, 100, 200)
	p := RingHash.NewPicker(candidates(list), nil)
	first := p.Pick(PickInfo{Hash: 42})
	for range 100 {
		p.Pick(PickInfo{Hash: 42}).Start(epoch)
	}
	for _, e := range list {
		share := 100 * e.Instance.Weight / 500
		if n := int(e.InFlight()); n > share*5/4+1 {
			t.Errorf("%d of 100 calls with one hash at the instance of weight %d, want at most %d", n, e.Instance.Weight, share*5/4+1)
		}
	}
	if n := first.InFlight(); n < 25 {
		t.Errorf("got %d of 100 calls at the hash's own instance, want its share and a quarter more", n)
	}
	// Once all have ended it gets them again.
	for _, e := range list {
		for e.InFlight() > 0 {
			e.Finish(epoch, 1, OutcomeAnswered)
		}
	}
	if got := p.Pick(PickInfo{Hash: 42}); got != first {
		t.Errorf("without load: got %v, want %v", got.Instance.Name, first.Instance.Name)
	}
}

// strays returns which part of the calls leaves the instance of its key: so many
// servers, so many callers that make one call after the other, 50 keys.
func strays(policy Policy, servers, callers int) float64 {
	const calls = 20_000
	list := measured(repeat(100, servers)...)
	p, rnd := policy.NewPicker(candidates(list), seeded(1)), rand.New(rand.NewPCG(1, 5))
	own := make([]*Endpoint, 50)
	for i := range own {
		own[i] = p.Pick(PickInfo{Hash: mix(uint64(i + 1))})
	}
	under := make([]*Endpoint, callers)
	away := 0
	for i := range calls {
		c := i % callers
		if under[c] != nil {
			under[c].Finish(epoch, time.Millisecond, OutcomeAnswered)
		}
		key := rnd.IntN(len(own))
		under[c] = p.Pick(PickInfo{Hash: mix(uint64(key + 1))})
		under[c].Start(epoch)
		if under[c] != own[key] {
			away++
		}
	}
	return float64(away) / calls
}

// With few calls in flight a third of them left their server, and half with 16.
func TestRingHashKeepsItsKeys(t *testing.T) {
	for _, tt := range []struct {
		servers, callers int
		o                RingHashOptions
		least, most      float64
	}{
		{3, 2, RingHashOptions{}, 0, 0},
		{3, 8, RingHashOptions{}, 0, 0},
		{10, 16, RingHashOptions{}, 0, 0.001},
		{3, 2, RingHashOptions{Floor: 4}, 0, 0},
		{3, 8, RingHashOptions{Floor: 4}, 0, 0.2},
		{10, 16, RingHashOptions{Floor: 4}, 0, 0.1},
		{3, 2, RingHashOptions{Floor: -1}, 0.2, 0.5}, // the share alone
		{3, 8, RingHashOptions{Floor: -1}, 0.05, 0.3},
		{10, 16, RingHashOptions{Floor: -1}, 0.3, 0.7},
		{10, 200, RingHashOptions{Floor: -1}, 0.01, 0.5}, // many: the floor changes nothing
		{10, 200, RingHashOptions{Floor: 4}, 0.01, 0.5},
		{10, 200, RingHashOptions{}, 0.01, 0.5},
		{10, 200, RingHashOptions{Bound: 1}, 0.5, 0.95}, // but the bound does
		{10, 200, RingHashOptions{Bound: 1.5}, 0.001, 0.2},
		{10, 200, RingHashOptions{Bound: 2}, 0, 0.1},
		{10, 200, RingHashOptions{Bound: -1}, 0, 0},
		{10, 16, RingHashOptions{Bound: -1, Floor: -1}, 0, 0},
	} {
		got := strays(NewRingHash(tt.o), tt.servers, tt.callers)
		t.Logf("%d servers, %d callers, bound %v, floor %d: %.1f %%", tt.servers, tt.callers, tt.o.Bound, tt.o.Floor, 100*got)
		if got < tt.least || got > tt.most {
			t.Errorf("%d servers, %d callers, %+v: %.3f of the calls leave their server, want %v to %v", tt.servers, tt.callers, tt.o, got, tt.least, tt.most)
		}
	}
	if tight, loose := strays(NewRingHash(RingHashOptions{Bound: 0.5}), 10, 200), strays(NewRingHash(RingHashOptions{Bound: 3}), 10, 200); loose > tight/2 {
		t.Errorf("200 callers: bound 1 %.3f, bound 3 %.3f leave, want less with the wider", tight, loose)
	}
}
