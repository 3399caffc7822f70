// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"math/bits"
	"sync"
	"time"
)

const (
	// latencySteps is how many buckets of times there are for each power of two:
	// a quantile is at most an eighth too long.
	latencySteps = 8
	// latencyWindow is how long a time counts: once whole, and once more as the
	// window before.
	latencyWindow = 10 * time.Second
	// minLatencies are needed to tell a 99th percentile.
	minLatencies = 100
	// maxLatencyMethods bounds the methods that are kept apart.
	maxLatencyMethods = 1000
)

// A latencyWindows tells how long calls take, of late. It reads no clock.
type latencyWindows struct {
	mu     sync.Mutex // guards what follows
	begun  time.Time  // of the current window
	counts [2]int     // current and previous
	times  [2][64 * latencySteps]uint32
}

// bucket returns the bucket of a time, in nanoseconds.
func bucket(d time.Duration) int {
	n := uint64(max(d, latencySteps))
	exp := bits.Len64(n) - 1
	return exp*latencySteps + int(n>>(exp-3))%latencySteps //nolint:gosec // small
}

// ceiling returns the least time above all that are in the bucket.
func ceiling(bucket int) time.Duration {
	exp, step := bucket/latencySteps, bucket%latencySteps
	return time.Duration(latencySteps+step+1) << (exp - 3)
}

// turn begins a new window where the current one is over. mu is held.
func (w *latencyWindows) turn(now time.Time) {
	passed := now.Sub(w.begun)
	if passed < latencyWindow {
		return
	}
	w.counts[1], w.times[1] = 0, [len(w.times[1])]uint32{}
	if passed < 2*latencyWindow {
		w.counts[1], w.times[1] = w.counts[0], w.times[0]
	}
	w.counts[0], w.times[0] = 0, [len(w.times[0])]uint32{}
	w.begun = now
}

// add notes a call that took d.
func (w *latencyWindows) add(now time.Time, d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.turn(now)
	w.counts[0]++
	w.times[0][bucket(d)]++
}

// p99 returns the time in which 99 of 100 calls were answered; 0: too few are
// known.
func (w *latencyWindows) p99(now time.Time) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.turn(now)
	total := w.counts[0] + w.counts[1]
	if total < minLatencies {
		return 0
	}
	rest := total / 100 // may take longer
	for b := len(w.times[0]) - 1; b >= 0; b-- {
		if rest -= int(w.times[0][b] + w.times[1][b]); rest < 0 {
			return ceiling(b)
		}
	}
	return 0
}

// latencies are the times of each method.
type latencies struct {
	mu       sync.Mutex // guards what follows
	byMethod map[string]*latencyWindows
}

// of returns the times of a method. Those of more methods than are kept apart are
// nobody's.
func (l *latencies) of(method string) *latencyWindows {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.byMethod[method]
	if w != nil {
		return w
	}
	w = new(latencyWindows)
	if l.byMethod == nil {
		l.byMethod = make(map[string]*latencyWindows)
	}
	if len(l.byMethod) < maxLatencyMethods {
		l.byMethod[method] = w
	}
	return w
}
