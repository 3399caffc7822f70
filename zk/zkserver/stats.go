// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"sync/atomic"
	"time"
)

// stats counts what the four-letter words tell.
type stats struct {
	received   atomic.Int64 // requests
	sent       atomic.Int64 // replies
	latencySum atomic.Int64 // ns
	latencyMax atomic.Int64 // ns
	expired    atomic.Int64 // sessions
	rejected   atomic.Int64 // connections, over a limit
	ahead      atomic.Int64 // connections of clients that had seen a later zxid
}

// answered notes n replies that took so many ns each.
func (s *stats) answered(n, ns int64) {
	if n == 0 {
		return
	}
	s.sent.Add(n)
	s.latencySum.Add(n * ns)
	for old := s.latencyMax.Load(); ns > old && !s.latencyMax.CompareAndSwap(old, ns); {
		old = s.latencyMax.Load()
	}
}

// latency returns the average in ms with its fraction, and the greatest in ms.
func (s *stats) latency() (avg float64, most int64) {
	if n := s.sent.Load(); n > 0 {
		avg = float64(s.latencySum.Load()) / float64(n) / float64(time.Millisecond)
	}
	return avg, s.latencyMax.Load() / int64(time.Millisecond)
}
