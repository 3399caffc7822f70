// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math"
	"slices"
	"time"
)

// The tiers of latencies.
const (
	fineStep    = 100 * time.Nanosecond
	fineBound   = 400 * time.Microsecond
	coarseStep  = time.Microsecond
	coarseBound = 16 * time.Millisecond
)

// latencies counts every latency that it is given; nothing is sampled and no
// distribution is assumed. It keeps a latency
//
//	below 400 µs   rounded down to 0.1 µs
//	below 16 ms    rounded down to 1 µs
//	from there on  as it is
//
// and so a quantile is that of the true latencies, rounded down in this way. Its
// size is 154 KiB and 8 bytes for each latency of the last kind. It is for one
// goroutine; the zero value is ready.
type latencies struct {
	large  []time.Duration
	fine   [fineBound / fineStep]uint64
	coarse [(coarseBound - fineBound) / coarseStep]uint64
	count  uint64
	max    time.Duration
}

// add records one latency. A negative one counts as 0.
func (l *latencies) add(d time.Duration) {
	d = max(d, 0)
	l.count++
	l.max = max(l.max, d)
	switch {
	case d < fineBound:
		l.fine[d/fineStep]++
	case d < coarseBound:
		l.coarse[(d-fineBound)/coarseStep]++
	default:
		l.large = append(l.large, d)
	}
}

// merge adds what other has recorded.
func (l *latencies) merge(other *latencies) {
	for i, n := range other.fine {
		l.fine[i] += n
	}
	for i, n := range other.coarse {
		l.coarse[i] += n
	}
	l.large = append(l.large, other.large...)
	l.count += other.count
	l.max = max(l.max, other.max)
}

// total returns how many latencies were recorded.
func (l *latencies) total() uint64 { return l.count }

// longest returns the greatest latency as it was given; 0 for none.
func (l *latencies) longest() time.Duration { return l.max }

// quantile returns the least recorded latency that at least the share q of all
// does not exceed (the nearest rank); q from 0 to 1. 0 for none.
func (l *latencies) quantile(q float64) time.Duration {
	if l.count == 0 {
		return 0
	}
	rank := uint64(math.Ceil(min(max(q, 0), 1) * float64(l.count)))
	rank = min(max(rank, 1), l.count)
	for i, n := range l.fine {
		if rank <= n {
			return time.Duration(i) * fineStep
		}
		rank -= n
	}
	for i, n := range l.coarse {
		if rank <= n {
			return fineBound + time.Duration(i)*coarseStep
		}
		rank -= n
	}
	slices.Sort(l.large)
	return l.large[rank-1]
}
