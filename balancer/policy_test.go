// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package balancer

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall/discovery"
)

// weighted returns endpoints of these weights.
func weighted(weights ...int) []*Endpoint {
	list := make([]*Endpoint, len(weights))
	for i, w := range weights {
		list[i] = &Endpoint{Instance: discovery.Instance{Name: strconv.Itoa(i), Host: fmt.Sprint("h", i), Port: 1, Weight: w}}
	}
	return list
}

// measured returns endpoints of these weights with the load of a Roster.
func measured(weights ...int) []*Endpoint {
	list := weighted(weights...)
	shared := &watch{origin: epoch, streak: DefaultEjectAfter}
	for _, e := range list {
		e.load = &load{watch: shared}
	}
	return list
}

// candidates returns endpoints as candidates of their weights.
func candidates(list []*Endpoint) []Candidate {
	cs := make([]Candidate, len(list))
	for i, e := range list {
		cs[i] = Candidate{e, float64(e.Instance.Weight)}
	}
	return cs
}

func seeded(seed uint64) func() float64 { return rand.New(rand.NewPCG(seed, 3)).Float64 }

func forPolicies(t *testing.T, test func(t *testing.T, p Policy)) {
	t.Helper()
	for _, p := range policies {
		t.Run(p.Name(), func(t *testing.T) { test(t, p) })
	}
}

var mixes = map[string][]int{
	"one":        {7},
	"equal":      {100, 100, 100, 100},
	"canary":     {100, 100, 1, 100},
	"ramp":       {1, 2, 3, 4, 5, 6, 7, 8, 9, 10},
	"one giant":  append([]int{discovery.MaxWeight}, repeat(1, 99)...),
	"few giants": append(repeat(1, 60), discovery.MaxWeight, discovery.MaxWeight, 5000),
	"primes":     {2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37},
}

func repeat(w, n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = w
	}
	return list
}

func TestSharesFollowTheWeights(t *testing.T) {
	const picks = 200_000
	forPolicies(t, func(t *testing.T, policy Policy) {
		for name, weights := range mixes {
			list := weighted(weights...)
			p := policy.NewPicker(candidates(list), seeded(1))
			got := make(map[*Endpoint]int)
			for range picks {
				got[p.Pick(PickInfo{})]++
			}
			total := 0
			for _, w := range weights {
				total += w
			}
			for i, e := range list {
				share := float64(weights[i]) / float64(total)
				want := share * picks
				// Five standard deviations of a random pick; round robin is to
				// be within a few calls, whatever their number.
				margin := 5*math.Sqrt(picks*share*(1-share)) + 1e-9
				switch policy {
				case RoundRobin:
					margin = 5 + want/1000
				case RingHash: // likewise of where its points are
					margin += 5 * want / math.Sqrt(math.Max(1, float64(weights[i])*pointsPerWeight(candidates(list))))
				}
				if math.Abs(float64(got[e])-want) > margin {
					t.Errorf("%s: endpoint %d of weight %d: got %d picks, want %.0f ± %.0f", name, i, weights[i], got[e], want, margin)
				}
			}
		}
	})
}

func TestRoundRobinIsEven(t *testing.T) {
	list := weighted(repeat(100, 7)...)
	p := RoundRobin.NewPicker(candidates(list), seeded(2))
	for round := range 5 {
		seen := make(map[*Endpoint]bool)
		for range list {
			seen[p.Pick(PickInfo{})] = true
		}
		if len(seen) != len(list) {
			t.Errorf("round %d: got %d different endpoints, want %d", round, len(seen), len(list))
		}
	}
}

func TestWeightedRoundRobinSpreads(t *testing.T) {
	// A burst would be a queue at one server, or at those of one kind.
	for name, tt := range map[string]struct {
		weights []int
		of      int // the weight that is counted
		window  int // among so many picks in a row
		margin  int
	}{
		"heavy": {append(repeat(1, 5), 5), 5, 20, 2},
		"light": {append(repeat(1, 20), 10, 10, 10, 10), 1, 30, 3},
		"split": {append(repeat(1, 30), 10), 10, 12, 1},
	} {
		share, total := 0, 0
		for _, w := range tt.weights {
			if total += w; w == tt.of {
				share += w
			}
		}
		want := tt.window * share / total
		p := RoundRobin.NewPicker(candidates(weighted(tt.weights...)), seeded(3))
		var hits []bool
		n, least, most := 0, tt.window, 0
		for i := range 10_000 {
			hits = append(hits, p.Pick(PickInfo{}).Instance.Weight == tt.of)
			if hits[i] {
				n++
			}
			if i >= tt.window && hits[i-tt.window] {
				n--
			}
			if i >= tt.window {
				least, most = min(least, n), max(most, n)
			}
		}
		if least < want-tt.margin || most > want+tt.margin {
			t.Errorf("%s: got %d to %d in %d picks in a row, want %d ± %d", name, least, most, tt.window, want, tt.margin)
		}
	}
}

// In each round an endpoint is picked as often as its share says, rounded down or
// up.
func TestWeightedRoundRobinIsEvenInEachRound(t *testing.T) {
	for name, weights := range mixes {
		total := 0
		for _, w := range weights {
			total += w
		}
		list := weighted(weights...)
		p := newStrata(candidates(list))
		for round := range 100 {
			got := make(map[*Endpoint]int)
			for range list {
				got[p.Pick(PickInfo{})]++
			}
			for i, e := range list {
				share := float64(weights[i]*len(list)) / float64(total)
				if n := float64(got[e]); n < math.Floor(share-1e-6) || n > math.Ceil(share+1e-6) {
					t.Errorf("%s, round %d: endpoint %d of weight %d: got %v of %d picks, want %.3f, rounded", name, round, i, weights[i], n, len(list), share)
				}
			}
		}
	}
}

func TestRoundRobinStartsAnywhere(t *testing.T) {
	for name, weights := range map[string][]int{"uniform": repeat(1, 16), "weighted": append(repeat(1, 15), 2)} {
		starts := make(map[string]bool)
		for seed := range uint64(64) {
			starts[RoundRobin.NewPicker(candidates(weighted(weights...)), seeded(seed)).Pick(PickInfo{}).Instance.Name] = true
		}
		if len(starts) < 10 {
			t.Errorf("%s: got %d different first picks by 64 clients, want most of 16", name, len(starts))
		}
	}
}

func TestTriedIsNotPickedAgain(t *testing.T) {
	forPolicies(t, func(t *testing.T, policy Policy) {
		for name, weights := range mixes {
			list := weighted(weights...)
			p := policy.NewPicker(candidates(list), seeded(4))
			for range 20 {
				var tried []*Endpoint
				seen := make(map[*Endpoint]bool)
				for range list {
					e := p.Pick(PickInfo{Tried: tried})
					if e == nil || seen[e] {
						t.Fatalf("%s: after %d: got %v, want an untried one", name, len(tried), e)
					}
					seen[e] = true
					tried = append(tried, e)
				}
				if e := p.Pick(PickInfo{Tried: tried}); e != nil {
					t.Fatalf("%s: after all: got %v, want nil", name, e)
				}
			}
		}
	})
}

func TestTriedSpreadsOverTheOthers(t *testing.T) {
	// The calls that fail on one instance must not all land on its neighbour.
	forPolicies(t, func(t *testing.T, policy Policy) {
		for name, weights := range map[string][]int{"uniform": repeat(1, 5), "weighted": {2, 1, 1, 1, 1}} {
			list := weighted(weights...)
			p := policy.NewPicker(candidates(list), seeded(5))
			got := make(map[*Endpoint]int)
			const calls = 40_000
			for range calls {
				e := p.Pick(PickInfo{})
				if e == list[0] {
					e = p.Pick(PickInfo{Tried: list[:1]})
				}
				got[e]++
			}
			for _, e := range list[1:] {
				// Round robin goes to the next in turn, so its neighbour has a
				// greater share, but never all of it.
				if n := got[e]; n < calls/8 || n > calls/2 || (policy == Random && (n < calls/4-1000 || n > calls/4+1000)) {
					t.Errorf("%s: endpoint %s: got %d of %d calls, want about a quarter", name, e.Instance.Name, n, calls)
				}
			}
		}
	})
}

func TestNobody(t *testing.T) {
	forPolicies(t, func(t *testing.T, policy Policy) {
		if got := policy.NewPicker(nil, nil).Pick(PickInfo{}); got != nil {
			t.Errorf("pick among nobody: got %v, want nil", got)
		}
	})
}

func TestOddSources(t *testing.T) {
	// A source out of its range, and weights that a Roster never passes.
	forPolicies(t, func(t *testing.T, policy Policy) {
		for _, u := range []float64{-1, 0, 1, 2, math.NaN(), math.Inf(1)} {
			for _, weights := range [][]int{{1, 1}, {1, 2}, {0, 5}, {-3, 1}, {0, 0}} {
				p := policy.NewPicker(candidates(weighted(weights...)), func() float64 { return u })
				for range 5 {
					if p.Pick(PickInfo{}) == nil {
						t.Errorf("source %v, weights %v: got nil", u, weights)
					}
				}
			}
		}
	})
}

func TestParsePolicy(t *testing.T) {
	forPolicies(t, func(t *testing.T, policy Policy) {
		if got, err := ParsePolicy(policy.Name()); got != policy || err != nil {
			t.Errorf("got %v, %v, want the policy", got, err)
		}
	})
	for _, name := range []string{"", "Random", "rendezvous"} {
		_, err := ParsePolicy(name)
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q: the policies are p2c, random, round_robin, ring_hash", name)) {
			t.Errorf("policy %q: got %v, want an error that names it and the valid ones", name, err)
		}
	}
}

func TestPickDoesNotAllocate(t *testing.T) {
	forPolicies(t, func(t *testing.T, policy Policy) {
		for name, weights := range mixes {
			list := weighted(weights...)
			p := policy.NewPicker(candidates(list), rand.Float64)
			for _, tried := range [][]*Endpoint{nil, list[:len(list)/2], list} {
				if n := testing.AllocsPerRun(100, func() { p.Pick(PickInfo{Tried: tried}) }); n != 0 {
					t.Errorf("%s, %d tried: got %v allocations, want 0", name, len(tried), n)
				}
			}
		}
	})
}

// TestConcurrentPicks picks while the list and the health change, as a client
// does: the Roster under a lock, the Snapshot behind a pointer.
func TestConcurrentPicks(t *testing.T) {
	forPolicies(t, func(t *testing.T, policy Policy) {
		r := NewRoster(Options{Policy: policy}, Hooks{})
		instances := make([]discovery.Instance, 20)
		for i := range instances {
			instances[i] = discovery.Instance{ID: strconv.Itoa(i), Host: "h", Port: i + 1, Weight: 1 + i%3, Revision: int64(i)}
		}
		r.Update(epoch, discovery.Update{Instances: instances, Source: discovery.SourceLive})
		var current atomic.Pointer[Snapshot]
		current.Store(r.Snapshot())
		var asked atomic.Bool
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for n := range 5000 {
					p := current.Load().Picker
					e := p.Pick(PickInfo{Now: epoch, Hash: uint64(n % 7)})
					if e == nil {
						t.Error("pick: got nil")
						return
					}
					e.Start(epoch)
					if again := p.Pick(PickInfo{Tried: []*Endpoint{e}}); again == e {
						t.Error("pick: got one that was tried")
					}
					if e.Finish(epoch.Add(time.Duration(n)*time.Millisecond), time.Duration(n), Outcome(1+n%4)) {
						asked.Store(true)
					}
				}
			})
		}
		rnd := rand.New(rand.NewPCG(6, 6))
		for n := range 500 {
			r.Tick(epoch.Add(time.Duration(n) * 20 * time.Millisecond))
			e := current.Load().Endpoints[rnd.IntN(10)].Endpoint
			switch rnd.IntN(3) {
			case 0:
				r.Failed(epoch, e, false)
			case 1:
				r.Recovered(epoch, e)
			default:
				r.Update(epoch, discovery.Update{Instances: instances[:10+rnd.IntN(10)], Source: discovery.SourceLive})
			}
			current.Store(r.Snapshot())
		}
		wg.Wait()
		if !asked.Load() {
			t.Error("after failures in a row: nobody asked for a review")
		}
		for _, es := range current.Load().Endpoints {
			if n := es.Endpoint.InFlight(); n != 0 {
				t.Errorf("%s: got %d in flight after all, want 0", es.Endpoint.Instance.ID, n)
			}
		}
	})
}
