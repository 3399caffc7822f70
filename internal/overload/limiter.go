// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package overload

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

const (
	window     = 100 * time.Millisecond // the shortest time that is judged as a whole
	maxWindow  = time.Second            // and the longest
	fewest     = 20                     // ended calls are judged as a whole, before maxWindow
	muchLate   = 0.2                    // of the ended calls: too many are in hand
	littleLate = 0.05                   // of them: not too many are
	mostShare  = 1. / 2                 // of what can be done within the time that calls have
	leastShare = 1. / 32
	trialTime  = 5 * window       // a limit is judged by as much, at least
	firstPause = 10 * time.Second // from a limit that did not help to the next
	maxPause   = 5 * time.Minute
)

// A Limiter decides which calls of one method are begun. It is safe for concurrent
// use; where nothing comes late it costs two additions a call.
type Limiter struct {
	made time.Time

	begun, ended, refused atomic.Int64 // calls
	late, lateBudget      atomic.Int64 // calls, and the ns that they had together

	limit   atomic.Int64 // calls in hand at once; 0: there is no limit
	perCall atomic.Int64 // ns from one end to the next, while there is a limit
	from    atomic.Int64 // when the window began

	mu     sync.Mutex // guards what follows: one judges
	base   counts     // at the begin of the window
	state  state
	budget float64 // ns that calls have, as far as is known from those who were late
	rate   float64 // calls that can be done in a ns
	share  float64 // the limit is what can be done in this share of budget
	idle   int64   // since when nothing has been refused

	judgedFrom int64         // when a limit begins to have its effect
	goodBefore float64       // calls in time, a ns, without it
	goodSince  int64         // calls in time since judgedFrom
	pause      time.Duration // how long there is no limit after one that did not help
	openUntil  int64         // the end of that
}

// The states of a Limiter.
//
//	state   limit  becomes
//	open    none   trial, when much is late and no pause is kept
//	trial   yes    helps, when more calls are in time than before; else open, and a pause begins
//	helps   yes    -
//
// From trial and helps it becomes open when nothing was refused or late for maxWindow.
type state uint8

const (
	open state = iota
	trial
	helps
)

// counts are what happened since the Limiter was made, or in a window.
type counts struct{ ended, refused, late, lateBudget int64 }

func (c counts) since(base counts) counts {
	return counts{c.ended - base.ended, c.refused - base.refused, c.late - base.late, c.lateBudget - base.lateBudget}
}

// tooMany reports whether much is late, and not by chance: by two standard
// deviations of a number of rare events.
func (c counts) tooMany() bool {
	late := float64(c.late)
	return late-2*math.Sqrt(late) >= muchLate*float64(c.ended)
}

// New returns a Limiter without a limit, which sets one when it is needed.
func New() *Limiter { return &Limiter{made: time.Now()} }

// Begin reports whether a call may be begun that has so much time left (0: all the
// time in the world). If it may, [Limiter.End] or [Limiter.EndBy] must follow.
func (l *Limiter) Begin(left time.Duration, p Priority) bool {
	if limit := l.limit.Load(); limit > 0 {
		inHand := l.InHand()
		hopeless := left > 0 && inHand > 1 && inHand*l.perCall.Load() > int64(left)
		if hopeless || inHand >= p.of(limit) {
			l.refused.Add(1)
			return false
		}
	}
	l.begun.Add(1)
	return true
}

// End ends a call without a deadline.
func (l *Limiter) End() { l.ended.Add(1) }

// EndBy ends a call with a deadline: late if nobody waits for its answer any more.
// budget is the time that it had when it came. It reports whether there is a limit
// now and was none, or the other way round.
func (l *Limiter) EndBy(now time.Time, late bool, budget time.Duration) (news bool) {
	l.ended.Add(1)
	if late {
		l.late.Add(1)
		l.lateBudget.Add(int64(budget))
	}
	at := int64(now.Sub(l.made))
	if passed := at - l.from.Load(); passed >= 0 && passed < int64(window) {
		return false
	}
	if !l.mu.TryLock() { // somebody judges already
		return false
	}
	defer l.mu.Unlock()
	before := l.state == open
	l.judge(at)
	return before != (l.state == open)
}

// Late says that a call which has ended in time was late after all.
func (l *Limiter) Late(budget time.Duration) {
	l.late.Add(1)
	l.lateBudget.Add(int64(budget))
}

// InHand returns how many calls have begun and not ended.
func (l *Limiter) InHand() int64 { return l.begun.Load() - l.ended.Load() }

// Limit returns how many calls may be in hand at once; 0: there is no limit.
func (l *Limiter) Limit() int64 { return l.limit.Load() }

// Refused returns how many calls were not begun.
func (l *Limiter) Refused() int64 { return l.refused.Load() }

// judge looks back at a window once it is over. mu is held.
func (l *Limiter) judge(now int64) {
	from := l.from.Load()
	all := counts{ended: l.ended.Load(), refused: l.refused.Load(), late: l.late.Load(), lateBudget: l.lateBudget.Load()}
	w, passed := all.since(l.base), now-from
	asleep := from == 0 || passed < 0 || passed > 2*int64(maxWindow) // the first window, or nothing ended for long
	if !asleep && (passed < int64(window) || (w.ended < fewest && passed < int64(maxWindow))) {
		return
	}
	l.from.Store(now)
	l.base = all
	if asleep {
		return
	}
	if w.late > 0 {
		l.budget = float64(w.lateBudget) / float64(w.late)
	}
	if l.state == open {
		if w.tooMany() && now >= l.openUntil {
			l.begin(now, w, passed)
		}
		return
	}
	l.adapt(now, w, passed)
}

// begin sets a limit: what is in hand beyond it goes first, which takes its time.
func (l *Limiter) begin(now int64, w counts, passed int64) {
	l.state, l.share, l.idle = trial, mostShare, now
	l.rate = float64(w.ended) / float64(passed)
	l.judgedFrom = now + int64(min(float64(l.InHand())/l.rate, 4*l.budget))
	l.goodBefore, l.goodSince = float64(w.ended-w.late)/float64(passed), 0
	l.set()
}

// adapt follows what can be done, and how much of it is late.
func (l *Limiter) adapt(now int64, w counts, passed int64) {
	if w.refused > 0 || w.late > 0 {
		l.idle = now
	}
	if l.state == trial && now > l.judgedFrom {
		l.try(now, w)
	}
	if l.state == open || now-l.idle >= int64(maxWindow) {
		l.state = open
		l.limit.Store(0)
		return
	}
	l.rate += (float64(w.ended)/float64(passed) - l.rate) / 4
	switch {
	case w.tooMany() && now > l.judgedFrom:
		l.share = max(0.7*l.share, leastShare)
	case float64(w.late) <= littleLate*float64(w.ended):
		l.share = min(1.05*l.share, mostShare)
	}
	l.set()
}

// try asks whether the limit has helped. Where calls come late for another reason,
// for example because some of them hang, to refuse others only adds to it.
func (l *Limiter) try(now int64, w counts) {
	l.goodSince += w.ended - w.late
	passed := float64(now - l.judgedFrom)
	switch {
	case passed < max(l.budget, float64(trialTime)):
	case float64(l.goodSince) > 0.9*l.goodBefore*passed:
		l.state, l.pause = helps, 0
	default:
		l.state = open
		l.pause = min(max(2*l.pause, firstPause), maxPause)
		l.openUntil = now + int64(l.pause)
	}
}

func (l *Limiter) set() {
	l.limit.Store(int64(max(1, math.Round(l.rate*l.budget*l.share))))
	l.perCall.Store(int64(1 / l.rate))
}
