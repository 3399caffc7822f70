// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package balancer

import (
	"cmp"
	"math"
	"slices"
	"sync/atomic"
	"time"
)

// What the reviews go by. Everything but failures in a row is measured against
// the others, so that what befalls all of them, a starved machine or a database
// that is down, ejects nobody.
const (
	reviewInterval = time.Second           // while there are calls
	reviewGap      = 10 * time.Millisecond // at least, between any two

	rateWindow = 8 * time.Second // attempts fade to 1/e in that time
	leastCalls = 20              // attempts in the window that it takes
	rateExcess = 0.1             // how much greater the failing share must be,
	rateSigmas = 3               // and how far beyond chance, in standard deviations

	slowFactor  = 5                     // how many times the median of the others,
	slowExcess  = 50 * time.Millisecond // and how much above it: the noise of fast services is none
	slowReviews = 5                     // so often in a row, so that a hiccup is none
	slowPeers   = 3                     // instances that it takes: of two nobody can say who is odd

	ejectMax     = 5 * time.Minute // the longest pause
	forgiveAfter = time.Minute     // without an ejection, each one before
)

// A suspect is an instance that a review would eject.
type suspect struct {
	slot *slot
	why  Ejection
	odds float64 // how far it is beyond the bound, to compare within a cause
}

// review looks at what the calls have shown, and ejects who is worse than the
// others. A review that failures asked for looks at these alone.
func (r *Roster) review(now time.Time) {
	// First of all, so that a failure which comes while this looks asks again.
	r.watch.asked.Store(false)
	// Asked for out of turn, the time since the last measure would be too short to
	// compare anybody: without a crowd only failures in a row are judged.
	var crowd crowd
	if t := r.watch.at(now); t >= r.watch.next.Load() {
		r.watch.next.Store(t + int64(reviewInterval))
		crowd = r.measure(now)
	}
	r.reviewed = now
	if r.opts.EjectFor < 0 {
		return
	}
	var suspects []suspect
	for i := range r.places {
		p := &r.places[i]
		// Of thousands nearly all are looked at no closer than this.
		if p.state != StateUsable || (crowd.calls == 0 && p.load.streak.Load() == 0) {
			continue
		}
		if x, ok := r.judge(r.slots[i], &crowd); ok {
			suspects = append(suspects, x)
		}
	}
	// Not all may go: the surest cause first, of one cause the worst.
	slices.SortStableFunc(suspects, func(a, b suspect) int {
		return cmp.Or(cmp.Compare(a.why.Cause, b.why.Cause), cmp.Compare(b.odds, a.odds))
	})
	r.eject(now, suspects)
}

// A crowd is what those who are usable have shown together. The zero value says
// nothing.
type crowd struct {
	calls, failed float64
	median        time.Duration // of the latencies; of an even number the greater
	measured      int           // how many latencies there are
}

// measure takes in what the calls have shown since the last time.
func (r *Roster) measure(now time.Time) crowd {
	fade := math.Exp(-float64(now.Sub(r.measured)) / float64(rateWindow))
	since := r.watch.at(r.measured)
	r.measured = now
	var c crowd
	var latencies []time.Duration
	var slowest time.Duration
	for i, s := range r.slots {
		l := r.places[i].load
		// Taken in one step each, so that every attempt is in one review alone.
		good, bad := take(&l.good), take(&l.bad)
		s.fresh = l.peakAt.Load() > since
		s.calls, s.failed = s.calls*fade+good+bad, s.failed*fade+bad
		if r.places[i].state != StateUsable {
			continue
		}
		c.calls, c.failed = c.calls+s.calls, c.failed+s.failed
		if latency := time.Duration(l.latency.Load()); latency > 0 {
			latencies = append(latencies, latency)
			slowest = max(slowest, latency)
		}
	}
	if slowest > slowExcess { // else nobody can be too slow
		slices.Sort(latencies)
		// Where the slow one is left out the middle of the others is here.
		c.median, c.measured = latencies[(len(latencies)-1)/2], len(latencies)
	}
	return c
}

// take returns a count, which begins anew.
func take(count *atomic.Uint32) float64 {
	if count.Load() == 0 { // a swap costs more than a look
		return 0
	}
	return float64(count.Swap(0))
}

// judge reports whether an instance is a suspect.
func (r *Roster) judge(s *slot, c *crowd) (suspect, bool) {
	l := s.current.load
	if streak := l.streak.Load(); streak >= r.watch.streak || (streak > 0 && s.onTrial()) {
		return suspect{s, Ejection{Cause: CauseFailures, Failures: int(streak)}, float64(streak)}, true
	}
	if calls, failed := c.calls-s.calls, c.failed-s.failed; s.calls >= leastCalls && calls >= leastCalls {
		// Counts that fade are no whole numbers, and their difference may come out a
		// little below 0.
		own, others, all := s.failed/s.calls, max(failed, 0)/calls, c.failed/c.calls
		excess, sigma := own-others, math.Sqrt(all*(1-all)*(1/s.calls+1/calls))
		if excess >= rateExcess && excess >= rateSigmas*sigma {
			return suspect{s, Ejection{Cause: CauseFailureRate, Failed: own, OthersFailed: others}, excess}, true
		}
	}
	enough := s.onTrial() || s.calls+float64(l.inFlight.Load()) >= leastCalls
	if c.calls == 0 || !s.fresh || !enough {
		return suspect{}, false // there is no news of its latency, or too little
	}
	latency := time.Duration(l.latency.Load())
	if c.measured < slowPeers || latency <= max(slowFactor*c.median, c.median+slowExcess) {
		s.slow = 0
		return suspect{}, false
	}
	// Once may be chance: a garbage collection, a cold cache.
	if s.slow++; s.slow < slowReviews {
		return suspect{}, false
	}
	return suspect{s, Ejection{Cause: CauseLatency, Latency: latency, OthersLatency: c.median}, float64(latency)}, true
}

// eject takes out the suspects, in their order, as far as the list can spare
// them.
func (r *Roster) eject(now time.Time, suspects []suspect) {
	if len(suspects) == 0 {
		return
	}
	counts, members := r.counts, r.members
	most := max(1, members*r.opts.EjectPercent/100)
	for _, x := range suspects {
		if counts.Ejected >= most || 2*(counts.Usable-1) < members {
			return // what is left must not come to panic
		}
		counts.Ejected++
		counts.Usable--
		s := x.slot
		if !s.readmitted.IsZero() {
			s.ejections = max(0, s.ejections-int(now.Sub(s.readmitted)/forgiveAfter))
		}
		s.ejections++
		x.why.Times = s.ejections
		s.ejection = &x.why
		// Bounded before it is multiplied, which would overflow.
		s.readmitted = now.Add(min(r.opts.EjectFor*time.Duration(min(s.ejections, 1000)), max(ejectMax, r.opts.EjectFor)))
		r.touch(s)
	}
}

// readmit lets in again who was ejected, on trial: with a small share that grows,
// as if nothing were known of it, and the first failure ejects it again.
func (r *Roster) readmit(now time.Time, s *slot) {
	s.ejection, s.readmitted = nil, now
	s.calls, s.failed, s.slow = 0, 0, 0
	s.current.load.forget()
	s.current.load.trial.Store(true)
	r.enroll(s)
	r.touch(s)
}
