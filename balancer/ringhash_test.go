// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package balancer

import (
	"slices"
	"testing"
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
