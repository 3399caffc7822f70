// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package overload

import (
	"math/rand/v2"
	"testing"
	"time"
)

// sum adds what happened from one second to before another.
func sum(seconds []second, from, to int) (s second) {
	for _, sec := range seconds[from:to] {
		s.good, s.late, s.refused = s.good+sec.good, s.late+sec.late, s.refused+sec.refused
	}
	return s
}

func steadily(rate float64) func(time.Duration) float64 {
	return func(time.Duration) float64 { return rate }
}

// core is 10,000 calls/s on one core, each to be answered within 200 ms.
func core(rate float64) simulation {
	return simulation{work: 100 * time.Microsecond, refusal: 5 * time.Microsecond, budget: 200 * time.Millisecond, rate: steadily(rate)}
}

// TestAskedForMore: asked for half as much again, or twice as much, as it can do, a
// server does what it can; without a limit, next to nothing.
func TestAskedForMore(t *testing.T) {
	for _, rate := range []float64{15_000, 20_000} {
		s, bare := core(rate), core(rate)
		bare.bare = true
		// What is refused takes its part of the core.
		most := 10_000 - (rate-10_000)*0.05
		if got := sum(s.run(10), 0, 10); float64(got.good) < 0.85*10*most {
			t.Errorf("%v calls/s: got %+v, want at least 0.85 of %v/s in time", rate, got, most)
		}
		if got := sum(s.seconds, 2, 10); float64(got.good) < 0.97*8*most || got.late > 0 {
			t.Errorf("%v calls/s, after 2 s: got %+v, want at least 0.97 of %v/s in time and none late", rate, got, most)
		}
		if got := sum(bare.run(10), 2, 10); got.good > 100 {
			t.Errorf("%v calls/s without a limit: got %+v, and there is nothing to mend", rate, got)
		}
	}
}

// TestHealthyIsLeftAlone: a server that can do what it is asked for has no limit.
func TestHealthyIsLeftAlone(t *testing.T) {
	s := core(9_500)
	if got := sum(s.run(20), 0, 20); got.refused > 0 || s.limiter.Limit() != 0 {
		t.Errorf("got %+v, limit %d, want none refused", got, s.limiter.Limit())
	}
}

// behindALock is a handler that needs a lock for 10 ms, and calls that have 300 ms.
func behindALock(rate func(time.Duration) float64) simulation {
	return simulation{work: 10 * time.Millisecond, budget: 300 * time.Millisecond, rate: rate}
}

// TestAfterTheRush: a lock that was asked for twice as much as it can do serves
// everybody a second after the load has fallen, and has no limit soon after.
func TestAfterTheRush(t *testing.T) {
	rush := func(at time.Duration) float64 {
		if at < 8*time.Second {
			return 200
		}
		return 50
	}
	s := behindALock(rush)
	s.run(20)
	if got := sum(s.seconds, 2, 8); got.good < 580 || got.late > 0 {
		t.Errorf("in the rush: got %+v, want nearly 600 in time", got)
	}
	if got := sum(s.seconds, 9, 20); got.late+got.refused > 0 || s.limiter.Limit() != 0 {
		t.Errorf("from a second after it: got %+v, limit %d, want all in time, and no limit", got, s.limiter.Limit())
	}
	bare := behindALock(rush)
	bare.bare = true
	if got := sum(bare.run(20), 9, 20); got.good > 50 {
		t.Errorf("without a limit: got %+v, and there is nothing to mend", got)
	}
}

// TestLimitThatDoesNotHelp: where three of ten calls hang in something else, a
// limit would be full of them. It is taken back, and tried seldom.
func TestLimitThatDoesNotHelp(t *testing.T) {
	hangs := func(_ time.Duration, r *rand.Rand) time.Duration {
		if r.Float64() < 0.3 {
			return 10 * time.Second
		}
		return 0
	}
	s := simulation{work: time.Millisecond, budget: 300 * time.Millisecond, rate: steadily(100), hang: hangs}
	bare := simulation{work: s.work, budget: s.budget, rate: s.rate, hang: hangs, bare: true}
	got, want := sum(s.run(300), 0, 300), sum(bare.run(300), 0, 300)
	if float64(got.good) < 0.95*float64(want.good) {
		t.Errorf("got %+v, want about as many in time as without a limit: %+v", got, want)
	}
	if got.refused == 0 {
		t.Error("no limit was tried: the test shows nothing")
	}
}

// TestLessTimeThanWork: calls that have less time than their work takes are no
// reason to refuse others for good.
func TestLessTimeThanWork(t *testing.T) {
	s := simulation{work: 0, budget: 300 * time.Millisecond, rate: steadily(50), hang: func(time.Duration, *rand.Rand) time.Duration { return 400 * time.Millisecond }}
	if got := sum(s.run(300), 0, 300); float64(got.refused) > 0.05*float64(got.late) {
		t.Errorf("got %+v, want few refused", got)
	}
}

// TestNeighbourIsAwayForAWhile: what a server waits for is slow for 3 s. As soon as
// it is well again, so is the server.
func TestNeighbourIsAwayForAWhile(t *testing.T) {
	away := func(at time.Duration, _ *rand.Rand) time.Duration {
		if at > 3*time.Second && at < 6*time.Second {
			return 2 * time.Second
		}
		return 10 * time.Millisecond
	}
	s := simulation{work: 100 * time.Microsecond, budget: 300 * time.Millisecond, rate: steadily(1000), hang: away}
	s.run(12)
	if got := sum(s.seconds, 9, 12); got.refused+got.late > 0 || s.limiter.Limit() != 0 {
		t.Errorf("from a second after the last late call: got %+v, limit %d, want all in time, and no limit", got, s.limiter.Limit())
	}
}

// TestPriorities: what can be shed is refused before the limit, what is critical
// behind it.
func TestPriorities(t *testing.T) {
	l := New()
	l.limit.Store(8)
	for _, step := range []struct {
		inHand int64
		want   map[Priority]bool
	}{
		{5, map[Priority]bool{Sheddable: true, Default: true, Critical: true}},
		{6, map[Priority]bool{Sheddable: false, Default: true, Critical: true}},
		{8, map[Priority]bool{Sheddable: false, Default: false, Critical: true}},
		{10, map[Priority]bool{Sheddable: false, Default: false, Critical: false}},
	} {
		for p, want := range step.want {
			l.begun.Store(step.inHand)
			if got := l.Begin(0, p); got != want {
				t.Errorf("priority %d with %d in hand of 8: got %v, want %v", p, step.inHand, got, want)
			}
		}
	}
	if got := l.Refused(); got != 6 {
		t.Errorf("got %d refused, want 6", got)
	}
}

// TestHopeless: under a limit, who cannot be answered in the time that is left is
// refused at once.
func TestHopeless(t *testing.T) {
	l := New()
	l.limit.Store(100)
	l.perCall.Store(int64(time.Millisecond))
	l.begun.Store(20)
	if l.Begin(19*time.Millisecond, Default) {
		t.Error("20 in hand at 1 ms each: got in with 19 ms left")
	}
	if !l.Begin(21*time.Millisecond, Default) || !l.Begin(0, Default) {
		t.Error("20 in hand at 1 ms each: refused with 21 ms left, or without a deadline")
	}
}

// TestBeginEndAllocateNothing: they are on the path of every call.
func TestBeginEndAllocateNothing(t *testing.T) {
	l := New()
	if n := testing.AllocsPerRun(100, func() {
		l.Begin(time.Second, Default)
		l.EndBy(l.made.Add(1), false, time.Second)
	}); n > 0 {
		t.Errorf("got %v allocations, want none", n)
	}
}

func BenchmarkBeginEnd(b *testing.B) {
	l := New()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			l.Begin(time.Second, Default)
			l.EndBy(time.Now(), false, time.Second)
		}
	})
}
