// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package balancer

import (
	"sync/atomic"
	"time"

	"github.com/rollcall-rpc/rollcall/discovery"
)

// An Endpoint is one instance as one client sees it. It is made by a [Roster],
// and stays the same pointer until the instance is forgotten or its entry
// changes.
type Endpoint struct {
	// Instance never changes.
	Instance discovery.Instance

	// Owner belongs to the Roster's owner: the connection to the instance. It
	// is what Options.Attach returned, and moves on to the Endpoint of the next
	// entry of the same instance.
	Owner any

	slot *slot
	load *load
}

// Start counts a call that begins. It may be called from any goroutine.
func (e *Endpoint) Start() {
	if e.load != nil {
		e.load.inFlight.Add(1)
	}
}

// Finish counts a call that ended, after latency; ok: an answer came that tells
// how fast the instance is. It may be called from any goroutine, once after
// each Start.
func (e *Endpoint) Finish(latency time.Duration, ok bool) {
	if e.load == nil {
		return
	}
	e.load.inFlight.Add(-1)
	if !ok || latency < 0 {
		return
	}
	// A lost update among concurrent calls does no harm: each is a fair sample.
	mean := e.load.latency.Load()
	if mean == 0 {
		e.load.latency.Store(int64(latency))
		return
	}
	e.load.latency.Store(mean + (int64(latency)-mean)/8)
}

// InFlight returns how many calls have started and not finished. It may be
// called from any goroutine.
func (e *Endpoint) InFlight() int64 {
	if e.load == nil {
		return 0
	}
	return e.load.inFlight.Load()
}

// Latency returns the smoothed time of the calls that were answered, each new
// one weighing 1/8 (the gain that RFC 6298 gives to a round-trip time); 0 before
// the first. It may be called from any goroutine.
func (e *Endpoint) Latency() time.Duration {
	if e.load == nil {
		return 0
	}
	return time.Duration(e.load.latency.Load())
}

// load is what the calls tell about an instance. It fills a cache line, so that
// calls to one instance do not slow down those to its neighbour.
type load struct {
	inFlight atomic.Int64
	latency  atomic.Int64
	_        [48]byte
}
