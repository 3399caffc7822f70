// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package balancer

import (
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
	// is what Hooks.Attach returned, and moves on to the Endpoint of the next
	// entry of the same instance.
	Owner any

	slot *slot
	load *load
}

// Start counts an attempt that begins. It may be called from any goroutine.
func (e *Endpoint) Start(now time.Time) {
	if e.load != nil {
		e.load.start(e.load.watch.at(now))
	}
}

// Finish counts an attempt that ended. latency is how long the answer took from when
// a connection had the request, not from when the attempt began: dialling tells of
// the network. 0 with OutcomeLost or OutcomeAbandoned: no connection ever had it, and
// it says nothing of how long an answer takes. Finish reports whether the
// instances should be looked at: the caller then has Tick called soon, as if it
// were due, by whoever does so. It may be called from any goroutine, once after
// each Start.
func (e *Endpoint) Finish(now time.Time, latency time.Duration, o Outcome) bool {
	if e.load == nil {
		return false
	}
	return e.load.finish(e.load.watch.at(now), latency, o)
}

// InFlight returns how many calls have started and not finished. It may be
// called from any goroutine.
func (e *Endpoint) InFlight() int64 {
	if e.load == nil {
		return 0
	}
	return e.load.inFlight.Load()
}

// Wait returns how long a further call would take as P2C estimates it, before
// weights: the peak of the latencies, which fades, or for how long the calls in
// flight have heard nothing if that is longer, for each of them and the new one. 0:
// nothing is known. It may be called from any goroutine.
func (e *Endpoint) Wait(now time.Time) time.Duration {
	if e.load == nil {
		return 0
	}
	at := e.load.watch.at(now)
	return time.Duration(wait(max(e.load.fadedPeak(at), e.load.silence(at)), float64(e.load.inFlight.Load())))
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
