// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package balancer

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// A stream is a client's calls on virtual time: one every 4 ms, to three equal
// servers.
type stream struct {
	list    []*Endpoint
	pick    Picker
	rnd     *rand.Rand
	pending []ending
	now     time.Duration
}

type ending struct {
	at, latency time.Duration
	endpoint    *Endpoint
}

const streamGap = 4 * time.Millisecond // 250 calls per second

func newStream(policy Policy, seed uint64) *stream {
	list := measured(repeat(100, 3)...)
	return &stream{list: list, pick: policy.NewPicker(candidates(list), seeded(seed)), rnd: rand.New(rand.NewPCG(seed, 4))}
}

// run makes calls for so long, each taking what latency says, and returns how many
// the first server got.
func (s *stream) run(d time.Duration, latency func(first bool) time.Duration) (first int) {
	for end := s.now + d; s.now < end; s.now += streamGap {
		slices.SortStableFunc(s.pending, func(a, b ending) int { return cmp.Compare(a.at, b.at) })
		for len(s.pending) > 0 && s.pending[0].at <= s.now {
			c := s.pending[0]
			s.pending = s.pending[1:]
			c.endpoint.Finish(epoch.Add(c.at), c.latency, OutcomeAnswered)
		}
		e := s.pick.Pick(PickInfo{Now: epoch.Add(s.now)})
		e.Start(epoch.Add(s.now))
		took := latency(e == s.list[0])
		s.pending = append(s.pending, ending{s.now + took, took, e})
		if e == s.list[0] {
			first++
		}
	}
	return first
}

// usual returns an answer's time: 1 ms on average.
func (s *stream) usual(bool) time.Duration {
	return time.Duration((0.5 + s.rnd.Float64()) * float64(time.Millisecond))
}

// fair is how many calls one of three gets in a second.
const fair = float64(time.Second/streamGap) / 3

// One answer that took long kept a server without calls for a minute.
func TestP2COneSlowAnswerCostsLittle(t *testing.T) {
	for _, slow := range []time.Duration{10 * time.Millisecond, 200 * time.Millisecond, time.Second} {
		const seeds = 10
		lost := 0.0 // in seconds of its share
		for seed := range uint64(seeds) {
			s := newStream(P2C, seed)
			s.run(10*time.Second, s.usual)
			once := true
			got := s.run(30*time.Second, func(first bool) time.Duration {
				if first && once {
					once = false
					return slow
				}
				return s.usual(first)
			})
			lost += (30 - float64(got)/fair) / seeds
			if once {
				t.Errorf("one call of %v, seed %d: it was never made", slow, seed)
			}
			if after := float64(s.run(10*time.Second, s.usual)) / fair / 10; after < 0.9 || after > 1.1 {
				t.Errorf("one call of %v, 30 s later: got %.2f of its share, want all", slow, after)
			}
		}
		t.Logf("one call of %v: %.1f s lost", slow, lost)
		if lost > 2 {
			t.Errorf("one call of %v: the server lost %.1f s of its share, want 2 at most", slow, lost)
		}
	}
}

// A server that stays slow gets next to nothing, and never nothing at all.
func TestP2CExploresLittle(t *testing.T) {
	for _, factor := range []time.Duration{5, 10, 100} {
		s := newStream(P2C, 1)
		latency := func(first bool) time.Duration {
			if first {
				return factor * s.usual(first) //nolint:durationcheck // a factor
			}
			return s.usual(first)
		}
		s.run(20*time.Second, latency)
		got := s.run(120*time.Second, latency)
		t.Logf("%d times slower: %d of %d calls", factor, got, 120*time.Second/streamGap)
		if got < 120/13-1 || got > 60 {
			t.Errorf("%d times slower for good: got %d calls in 120 s, want one in 13 s to one in 2", factor, got)
		}
		// It is well again: that is found out.
		s.run(20*time.Second, s.usual)
		if after := float64(s.run(10*time.Second, s.usual)) / fair / 10; after < 0.9 {
			t.Errorf("well for 20 s: got %.2f of its share, want all", after)
		}
	}
}
