// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"math"
	"slices"
	"time"
)

// The tiers of a Recorder.
const (
	fineStep    = 100 * time.Nanosecond
	fineBound   = 400 * time.Microsecond
	coarseStep  = time.Microsecond
	coarseBound = 16 * time.Millisecond
)

// A Recorder counts every latency that it is given; nothing is sampled and no
// distribution is assumed. It keeps a latency
//
//	below 400 µs   rounded down to 0.1 µs
//	below 16 ms    rounded down to 1 µs
//	from there on  as it is
//
// and so a quantile is that of the true latencies, rounded down in this way. Its
// size is 154 KiB and 8 bytes for each latency of the last kind. It is for one
// goroutine; the zero value is ready.
type Recorder struct {
	large  []time.Duration
	fine   [fineBound / fineStep]uint64
	coarse [(coarseBound - fineBound) / coarseStep]uint64
	count  uint64
	max    time.Duration
}

// Add records one latency. A negative one counts as 0.
func (r *Recorder) Add(d time.Duration) {
	d = max(d, 0)
	r.count++
	r.max = max(r.max, d)
	switch {
	case d < fineBound:
		r.fine[d/fineStep]++
	case d < coarseBound:
		r.coarse[(d-fineBound)/coarseStep]++
	default:
		r.large = append(r.large, d)
	}
}

// Merge adds what other has recorded.
func (r *Recorder) Merge(other *Recorder) {
	for i, n := range other.fine {
		r.fine[i] += n
	}
	for i, n := range other.coarse {
		r.coarse[i] += n
	}
	r.large = append(r.large, other.large...)
	r.count += other.count
	r.max = max(r.max, other.max)
}

// Count returns how many latencies were recorded.
func (r *Recorder) Count() uint64 { return r.count }

// Max returns the greatest latency as it was given; 0 for none.
func (r *Recorder) Max() time.Duration { return r.max }

// Quantile returns the least recorded latency that at least the share q of all
// does not exceed (the nearest rank); q from 0 to 1. 0 for none.
func (r *Recorder) Quantile(q float64) time.Duration {
	if r.count == 0 {
		return 0
	}
	rank := uint64(math.Ceil(min(max(q, 0), 1) * float64(r.count)))
	rank = min(max(rank, 1), r.count)
	for i, n := range r.fine {
		if rank <= n {
			return time.Duration(i) * fineStep
		}
		rank -= n
	}
	for i, n := range r.coarse {
		if rank <= n {
			return fineBound + time.Duration(i)*coarseStep
		}
		rank -= n
	}
	slices.Sort(r.large)
	return r.large[rank-1]
}
