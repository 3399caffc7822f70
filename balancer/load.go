// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package balancer

import (
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
)

// A load is what the calls tell about an instance. It fills a cache line, so
// that calls to one instance do not slow down those to its neighbour. Times are
// in nanoseconds since the watch's origin. A lost update among concurrent calls
// does no harm: each is a fair sample.
type load struct {
	watch *watch // of the Roster

	inFlight atomic.Int64
	heard    atomic.Int64 // the last answer, or the start of the call that ended the idleness
	latency  atomic.Int64 // smoothed; 0: no sample
	peak     atomic.Int64 // jumps up to a sample, comes down smoothly; 0: no sample
	peakAt   atomic.Int64 // when peak was set

	good   atomic.Uint32 // outcomes since the last review
	bad    atomic.Uint32
	streak atomic.Uint32 // failures in a row
	trial  atomic.Bool   // it was ejected and is let in again: one failure is enough
}

// A watch is what the loads of a Roster share.
type watch struct {
	origin time.Time    // set before the first load is made
	streak uint32       // so many failures in a row want a review at once
	asked  atomic.Bool  // a review is wanted
	next   atomic.Int64 // when the next review is due by itself

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
	l.streak.Store(0)
	l.trial.Store(false)
}

func (l *load) start(t int64) {
	l.watch.inFlight.Add(1)
	if l.inFlight.Add(1) == 1 {
		l.heard.Store(t)
	}
}

// finish reports whether a review is wanted, which was not before.
func (l *load) finish(t int64, latency time.Duration, o Outcome) bool {
	l.watch.inFlight.Add(-1)
	l.inFlight.Add(-1)
	latency = max(latency, 1)
	peak := l.fadedPeak(t)
	switch {
	case o == OutcomeAnswered:
		l.heard.Store(t)
		l.good.Add(1)
		if l.streak.Load() != 0 { // a store costs more than a look
			l.streak.Store(0)
		}
		l.smooth(latency)
		l.setPeak(t, max(latency, peak-(peak-latency)/gain))
	case o == OutcomeAbandoned:
		// It would have taken longer still: a sample that may say slower, never faster.
		if latency > time.Duration(l.latency.Load()) {
			l.smooth(latency)
		}
		l.setPeak(t, max(latency, peak))
	case o.failed():
		// A failure may be fast. It must not make the instance look so.
		if o == OutcomeError {
			l.heard.Store(t)
		}
		l.bad.Add(1)
		l.setPeak(t, max(latency, 2*peak))
		streak := l.streak.Add(1)
		if l.trial.Load() || streak%l.watch.streak == 0 {
			return l.watch.ask()
		}
	}
	return t >= l.watch.next.Load() && l.watch.ask()
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
// less: there are none, or it does not.
func (l *load) silence(t int64) time.Duration {
	if l.inFlight.Load() <= 0 {
		return 0
	}
	return time.Duration(t - l.heard.Load())
}
