// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package balancer

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall/discovery"
)

// samePicker reports whether two Pickers of one policy have the same candidates, weights
// and places for them, whatever the turn is.
func samePicker(a, b Picker) bool {
	switch a := a.(type) {
	case *twoChoices:
		b, ok := b.(*twoChoices)
		return ok && sameSeats(&a.seats, &b.seats) && slices.Equal(a.cells, b.cells)
	case *ring:
		b, ok := b.(*ring)
		return ok && sameSeats(&a.seats, &b.seats) && slices.Equal(a.slots, b.slots) && a.limits == b.limits && a.unit == b.unit &&
			slices.Equal(a.points.hashes, b.points.hashes) && slices.Equal(a.points.owners, b.points.owners)
	case *uniformRandom:
		b, ok := b.(*uniformRandom)
		return ok && slices.Equal(a.list, b.list)
	case *weightedRandom:
		b, ok := b.(*weightedRandom)
		return ok && slices.Equal(a.list, b.list) && slices.Equal(a.cells, b.cells)
	case *uniformRing:
		b, ok := b.(*uniformRing)
		return ok && slices.Equal(a.list, b.list)
	case *strata:
		b, ok := b.(*strata)
		return ok && slices.Equal(a.list, b.list) && slices.Equal(a.parts, b.parts) && slices.Equal(a.cuts, b.cuts)
	}
	return false
}

func sameSeats(a, b *seats) bool {
	return slices.Equal(a.list, b.list) && slices.Equal(a.each, b.each) && a.watch == b.watch
}

// TestSuccessorsAreAsIfMadeAnew changes a few of many candidates again and again.
func TestSuccessorsAreAsIfMadeAnew(t *testing.T) {
	for _, policy := range []successive{P2C.(successive), RingHash.(successive)} {
		for seed := range uint64(4) {
			t.Run(fmt.Sprint(policy.Name(), "/seed=", seed), func(t *testing.T) {
				rnd := rand.New(rand.NewPCG(seed, 9))
				n := 1 + rnd.IntN(4)
				if seed%2 > 0 {
					n = 700 + rnd.IntN(100)
				}
				pool := measured(repeat(100, 2*n+20)...)
				for i, e := range pool { // twins, whose points are the same
					e.Instance.ID = fmt.Sprint("id", i-i%13%2)
				}
				list := candidates(pool[:n])
				p := policy.NewPicker(list, rnd.Float64)
				evolved := 0
				for step := range 60 {
					next, was := edit(rnd, pool, list)
					before, _ := p.(*ring)
					got := policy.successor(p, next, was, rnd.Float64)
					if now, ok := got.(*ring); ok && before.points == nil && now.points != nil {
						evolved++
					}
					if want := policy.NewPicker(next, nil); !samePicker(got, want) {
						t.Fatalf("step %d, of %d candidates %d: the successor is another one than a new one", step, len(list), len(next))
					}
					p, list = got, next
				}
				if policy.Name() == RingHash.Name() && n >= 700 && evolved < 40 {
					t.Errorf("got %d of 60 rings out of the one before, want most", evolved)
				}
			})
		}
	}
}

// edit changes some of the candidates: of whom there are, in which order, with which
// weight.
func edit(rnd *rand.Rand, pool []*Endpoint, list []Candidate) (next []Candidate, was []int32) {
	for i := range list {
		next, was = append(next, list[i]), append(was, int32(i))
	}
	for range 1 + rnd.IntN(3) {
		i := rnd.IntN(len(next))
		switch rnd.IntN(5) {
		case 0, 1:
			if len(next) > 1 {
				next, was = slices.Delete(next, i, i+1), slices.Delete(was, i, i+1)
			}
		case 2, 3:
			e := pool[rnd.IntN(len(pool))]
			if !slices.ContainsFunc(next, func(c Candidate) bool { return c.Endpoint == e }) {
				next, was = slices.Insert(next, i, Candidate{e, 100}), slices.Insert(was, i, -1)
			}
		default:
			j := rnd.IntN(len(next))
			next[i], next[j], was[i], was[j] = next[j], next[i], was[j], was[i]
			if rnd.IntN(2) == 0 {
				next[i].Weight, was[i] = []float64{10, 100, 1, 1e4}[rnd.IntN(4)], -1
			}
		}
	}
	return next, was
}

// checkAnew compares what the Roster has kept up with what its slots amount to, found
// out anew.
func (f *fuzzer) checkAnew(t *testing.T, s *Snapshot) {
	t.Helper()
	r := f.roster
	members, waiting, grown := 0, 0, 0.0
	var due time.Time
	for _, s := range r.slots {
		if r.isMember(s, s.state()) {
			members++
		}
		if s.state() == StateUsable {
			grown = max(grown, s.share)
		}
		if s.probeable() {
			waiting++
		}
		due = earlier(due, s.due())
	}
	if r.waiting != waiting {
		t.Errorf("got %d that wait for a probe, want %d", r.waiting, waiting)
	}
	if got := r.agenda.next(); !got.Equal(due) {
		t.Errorf("the next that is due: got %v, want %v", got, due)
	}
	var want [tiers][]Candidate
	usable := 0
	for i, slot := range r.slots {
		state := slot.state()
		e := EndpointState{Endpoint: slot.current, State: state, Until: slot.until(state), Weight: float64(slot.current.Instance.Weight)}
		if state == StateUsable {
			if usable++; slot.share < grown {
				e.Weight *= slot.share / grown
			}
		}
		if state == StateEjected {
			e.Ejection = slot.ejection
		}
		if slot.at != i || s.Endpoints[i] != e {
			t.Errorf("endpoint %d, noted as %d: got %+v, want %+v", i, slot.at, s.Endpoints[i], e)
		}
		if g := r.group(slot, state); g != groupNone {
			want[g] = append(want[g], Candidate{slot.current, e.Weight})
		}
	}
	if 2*usable < members {
		want[groupUsable], want[groupWilling] = append(want[groupUsable], want[groupWilling]...), nil
	}
	if usable > 0 {
		want[groupRefusing] = nil
	}
	if s.Panic != (2*usable < members) || r.members != members {
		t.Errorf("%d of %d members usable: got panic %v, %d members", usable, members, s.Panic, r.members)
	}
	for i := range r.tiers {
		tier := &r.tiers[i]
		if !slices.Equal(tier.list, want[i]) {
			t.Errorf("tier %d: got %v, want %v", i, tier.list, want[i])
		}
		if len(want[i]) > 0 && !samePicker(tier.picker, r.opts.Policy.NewPicker(want[i], nil)) {
			t.Errorf("tier %d: got another picker than a new one of %v", i, want[i])
		}
	}
}

// What one change of many costs is little because what others amount to is kept: and
// so it must be right with many, too.
func TestChangesOfManyAreAsIfMadeAnew(t *testing.T) {
	forPolicies(t, func(t *testing.T, policy Policy) {
		f := newFuzzer(3)
		f.roster = NewRoster(Options{Policy: policy, Rand: f.rnd.Float64}, Hooks{})
		all, joined := manyInstances(), 0
		f.list = all[:1500:1500]
		f.send(discovery.SourceLive)
		for range 30 {
			f.now = f.now.Add(time.Duration(f.rnd.Int64N(int64(20 * time.Second))))
			for range 1 + f.rnd.IntN(3) {
				known := f.roster.Snapshot().Endpoints
				e := known[f.rnd.IntN(len(known))].Endpoint
				switch f.rnd.IntN(7) {
				case 0:
					f.roster.Failed(f.now, e, f.rnd.IntN(2) == 0)
				case 1:
					f.roster.Silent(f.now, e, true)
				case 2:
					f.roster.Draining(f.now, e.Instance.ID, e)
				case 3:
					for range DefaultEjectAfter {
						e.Start(f.now)
						e.Finish(f.now, time.Millisecond, OutcomeLost)
					}
				case 4:
					i := f.rnd.IntN(len(f.list))
					f.list = slices.Delete(slices.Clone(f.list), i, i+1)
					f.send(discovery.SourceLive)
				case 5:
					joined++
					f.list = append(slices.Clip(f.list), all[1499+joined])
					f.send(discovery.SourceLive)
				default:
					f.roster.Tick(f.now)
					for _, e := range f.roster.Probes(f.now) {
						f.roster.Probed(f.now, e)
					}
				}
			}
			f.checkAnew(t, f.roster.Snapshot())
			if t.Failed() {
				t.FailNow()
			}
		}
	})
}
