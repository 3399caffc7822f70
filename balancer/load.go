// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package balancer

import (
	"math"
	"sync/atomic"
	"time"
)

const (
	// An estimate of an instance that is not asked halves every 1<<peakHalving
	// nanoseconds, 8.6 s: slowly enough that one call in hundreds finds out
	// whether a slow instance still is.
	peakHalving = 33

	// peakMax bounds an estimate, so that doubling it has an end.
	peakMax = time.Minute

	// gain is the reciprocal weight of a new sample, RFC 6298's for a round-trip
	// time.
	gain = 8

	// An instance that P2C passes over is tried again after exploreMin, with one
	// call; as often as that is no good, after twice the time, exploreMax at most.
	// Where calls to it hang a further one waits for exploreHung at first.
	exploreMin  = 50 * time.Millisecond
	exploreHung = time.Second
	exploreMax  = exploreMin << maxDoubt
	maxDoubt    = 8

	// A refusal for being busy takes a tenth of an instance's calls away and an
	// answer gives a hundredth back, so that a tenth of what it gets is refused. What
	// is left of that halves every 1<<busyHalving nanoseconds, 2.1 s.
	busyLess, busyMore = 0.9, 1.01
	busyHalving        = 31
	busyLeast          = 1.0 / 64
)

// A load is what the calls tell about an instance. What every call writes fills a
// cache line, so that calls to one instance do not slow down those to its
// neighbour. Times are in nanoseconds since the watch's origin. A lost update
// among concurrent calls does no harm: each is a fair sample.
type load struct {
	watch *watch // of the Roster

	inFlight atomic.Int64
	heard    atomic.Int64 // when the first call began since the last answer; 0: none has
	latency  atomic.Int64 // smoothed; 0: no sample
	peak     atomic.Int64 // jumps up to a sample, comes down smoothly; 0: no sample
	peakAt   atomic.Int64 // when peak was set

	good   atomic.Uint32 // outcomes since the last review
	bad    atomic.Uint32
	streak atomic.Uint32 // failures in a row
	trial  atomic.Bool   // it was ejected and is let in again: one failure is enough

	// What follows is looked at where the instance seems slow, else seldom.
	doubt    atomic.Uint32 // how often it was explored, less what was good
	explored atomic.Int64  // when it was last
	bar      atomic.Int64  // what the call that explores must not exceed; 0: none does
	busyAt   atomic.Int64  // when withheld was set
	withheld atomic.Uint32 // which part of its calls goes elsewhere, in 1<<16ths, for it was busy
	_        [28]byte
}

// A watch is what the loads of a Roster share.
type watch struct {
	origin time.Time    // set before the first load is made
	streak uint32       // so many failures in a row want a review at once
	asked  atomic.Bool  // a review is wanted
	next   atomic.Int64 // when the next review is due by itself

	lacking atomic.Int32 // how many instances lack a method

	_        [64]byte // what follows changes with every call, the rest seldom
	inFlight atomic.Int64
	_        [56]byte
}

// at returns a moment as nanoseconds since the origin.
func (w *watch) at(now time.Time) int64 { return int64(now.Sub(w.origin)) }

// ask notes that a review is wanted, and reports whether that is news.
func (w *watch) ask() bool { return !w.asked.Load() && w.asked.CompareAndSwap(false, true) }

// forget drops what the calls have shown.
func (l *load) forget() {
	l.latency.Store(0)
	l.peak.Store(0)
	l.doubt.Store(0)
	l.bar.Store(0)
	l.streak.Store(0)
	l.trial.Store(false)
}

func (l *load) start(t int64) {
	l.watch.inFlight.Add(1)
	if l.inFlight.Add(1) == 1 || l.heard.Load() == 0 {
		l.heard.Store(max(t, 1))
	}
}

// finish reports whether a review is wanted, which was not before.
func (l *load) finish(t int64, latency time.Duration, o Outcome) bool {
	l.watch.inFlight.Add(-1)
	l.inFlight.Add(-1)
	peak, sent := l.fadedPeak(t), latency > 0
	latency = max(latency, 1)
	switch {
	case o == OutcomeAnswered:
		l.heard.Store(0)
		l.good.Add(1)
		if l.streak.Load() != 0 { // a store costs more than a look
			l.streak.Store(0)
		}
		l.smooth(latency)
		if l.withheld.Load() != 0 {
			l.hold(t, busyMore)
		}
		l.setPeak(t, max(latency, peak-(peak-latency)/l.weigh(latency, peak)))
	case o == OutcomeBusy: // it answers, and fast: neither is a sample
		l.heard.Store(0)
		l.concluded()
		l.hold(t, busyLess)
	case o == OutcomeAbandoned && !sent:
		l.concluded()
	case o == OutcomeAbandoned:
		l.concluded()
		// It would have taken longer still: a sample that may say slower, never faster.
		if latency > time.Duration(l.latency.Load()) {
			l.smooth(latency)
		}
		l.setPeak(t, max(latency, peak))
	case o.failed():
		// A failure may be fast. It must not make the instance look so.
		if o == OutcomeError {
			l.heard.Store(0)
		}
		l.bad.Add(1)
		l.concluded()
		if sent || peak > 0 { // who is not known stays so
			l.setPeak(t, max(latency, 2*peak))
		}
		streak := l.streak.Add(1)
		if l.trial.Load() || streak%l.watch.streak == 0 {
			return l.watch.ask()
		}
	}
	return t >= l.watch.next.Load() && l.watch.ask()
}

// hold changes the part of the calls that the instance is left, by a factor.
func (l *load) hold(t int64, factor float64) {
	left := min(max((1-l.busy(t))*factor, busyLeast), 1)
	l.withheld.Store(uint32((1 - left) * (1 << 16)))
	l.busyAt.Store(t)
}

// busy returns which part of its calls is to go elsewhere.
func (l *load) busy(t int64) float64 {
	withheld := l.withheld.Load()
	if withheld == 0 {
		return 0
	}
	age := float64(max(t-l.busyAt.Load(), 0)) / (1 << busyHalving)
	return float64(withheld) / (1 << 16) * math.Exp2(-age)
}

// explore reports whether a call should find out if the instance, which is passed
// over for one that takes other, is still that slow. It does so once in a while,
// and less and less often where the calls find it so.
func (l *load) explore(t int64, other time.Duration) bool {
	doubt, last := l.doubt.Load(), l.explored.Load()
	pause, since := exploreMin<<doubt, max(l.peakAt.Load(), last)
	if l.silence(t) > 0 {
		// One call that takes long, or a server that hangs.
		pause, since = exploreHung<<doubt, max(l.heard.Load(), last)
	}
	if t-since < int64(min(pause, exploreMax)) || !l.explored.CompareAndSwap(last, t) {
		return false
	}
	l.doubt.Store(min(doubt+1, maxDoubt))
	l.bar.Store(int64(other))
	return true
}

// weigh returns the reciprocal weight of an answer in the peak: much where the
// call was to find out whether the instance is slow, and it is not.
func (l *load) weigh(latency, peak time.Duration) time.Duration {
	bar, doubt := l.concluded(), l.doubt.Load()
	switch {
	case bar > 0 && latency <= bar:
		l.doubt.Store(max(doubt, 2) - 2)
		return 2
	case bar == 0 && doubt > 0 && latency <= peak:
		l.doubt.Store(doubt - 1) // it is called as others are
	}
	return gain
}

// concluded ends an exploration and returns its bar; 0: there was none.
func (l *load) concluded() time.Duration {
	if l.bar.Load() == 0 { // a swap costs more than a look
		return 0
	}
	return time.Duration(l.bar.Swap(0))
}

// smooth adds a sample to the smoothed latency.
func (l *load) smooth(sample time.Duration) {
	mean := time.Duration(l.latency.Load())
	if mean == 0 {
		mean = sample
	}
	l.latency.Store(int64(mean + (sample-mean)/gain))
}

func (l *load) setPeak(t int64, peak time.Duration) {
	l.peak.Store(int64(min(peak, peakMax)))
	l.peakAt.Store(t)
}

// fadedPeak returns what is left of the peak at t. Between two halvings it goes
// down in a straight line.
func (l *load) fadedPeak(t int64) time.Duration {
	peak, age := l.peak.Load(), max(t-l.peakAt.Load(), 0)
	peak >>= age >> peakHalving
	// In 1<<20ths of a halving, so that the product fits.
	part := age & (1<<peakHalving - 1) >> (peakHalving - 20)
	return time.Duration(peak - peak/2*part>>20)
}

// silence returns for how long now the calls in flight have heard nothing; 0 or
// less: there are none, or it does not. A call that others have overtaken is no
// silence: it takes long, and the server is there.
func (l *load) silence(t int64) time.Duration {
	heard := l.heard.Load()
	if heard == 0 || l.inFlight.Load() <= 0 {
		return 0
	}
	return time.Duration(t - heard)
}
