// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package balancer

import (
	"math/rand/v2"
	"time"

	"github.com/rollcall-rpc/rollcall/discovery"
)

// The defaults of [Options].
const (
	DefaultBackoffMin = 50 * time.Millisecond
	DefaultBackoffMax = 5 * time.Second
	DefaultLingerFor  = 10 * time.Minute
	DefaultDrainFor   = 60 * time.Second
	DefaultSlowStart  = 10 * time.Second

	DefaultEjectAfter   = 5
	DefaultEjectFor     = 10 * time.Second
	DefaultEjectPercent = 10
)

// stableAfter is how long an instance must have been without a failure for its
// earlier ones to be forgotten.
const stableAfter = 10 * time.Second

// Options are the settings of a [Roster]. The zero value is the default.
type Options struct {
	// Policy makes the Picker. nil: P2C.
	Policy Policy

	// BackoffMin and BackoffMax bound the pause before what was set aside is
	// probed. 0 or less: 50 ms and 5 s; a BackoffMax below BackoffMin is raised
	// to it. Where nobody is usable, it is at most 1 s for each that is probed.
	BackoffMin, BackoffMax time.Duration

	// LingerFor is how long a member that left the list without a word is kept.
	// 0: 10 min; negative: it is forgotten at once.
	LingerFor time.Duration

	// DrainFor is how long an instance that announced its leave is not picked
	// while its entry stays. 0: 60 s; negative: not at all.
	DrainFor time.Duration

	// SlowStart is how long an instance that is new in the list grows from a
	// tenth of its weight to all of it. 0: 10 s; negative: it has all at once.
	SlowStart time.Duration

	// EjectAfter is how many attempts that fail in a row eject an instance. 0 or
	// less: 5.
	EjectAfter int

	// EjectFor is how long an instance is ejected for the first time; each
	// further time it is as much longer, up to 5 min. 0: 10 s; negative: nobody
	// is ever ejected.
	EjectFor time.Duration

	// EjectPercent is how many of the members may be ejected at a time, but one
	// always may. 0 or less: 10.
	EjectPercent int

	// Rand returns numbers in [0, 1): jitter and random picks. It is called
	// from every goroutine that picks. nil: Float64 of math/rand/v2.
	Rand func() float64
}

// Hooks are what the owner of a [Roster] adds to it. The zero value adds nothing.
type Hooks struct {
	// Supported tells whether the client can call the instance; it is asked
	// once for each Endpoint. nil: it can call all.
	Supported func(*discovery.Instance) bool

	// Attach gives an instance's Owner. It is called when the instance becomes
	// known, before its Endpoint appears anywhere, and must not call the Roster.
	// nil: no owner.
	Attach func(*Endpoint) any

	// Detach tells that the instance is forgotten, with its last Endpoint: the
	// owner closes the connection as soon as the calls on it have ended. It is
	// called at the end of the Roster's method that forgot it, and must not call
	// the Roster. nil: nobody is told.
	Detach func(*Endpoint)
}

// withDefaults returns the options with every default filled in.
func (o Options) withDefaults() Options {
	if o.Policy == nil {
		o.Policy = P2C
	}
	if o.BackoffMin <= 0 {
		o.BackoffMin = DefaultBackoffMin
	}
	if o.BackoffMax <= 0 {
		o.BackoffMax = DefaultBackoffMax
	}
	o.BackoffMax = max(o.BackoffMax, o.BackoffMin)
	if o.LingerFor == 0 {
		o.LingerFor = DefaultLingerFor
	}
	if o.DrainFor == 0 {
		o.DrainFor = DefaultDrainFor
	}
	if o.SlowStart == 0 {
		o.SlowStart = DefaultSlowStart
	}
	if o.EjectAfter <= 0 {
		o.EjectAfter = DefaultEjectAfter
	}
	if o.EjectFor == 0 {
		o.EjectFor = DefaultEjectFor
	}
	if o.EjectPercent <= 0 {
		o.EjectPercent = DefaultEjectPercent
	}
	if o.Rand == nil {
		o.Rand = rand.Float64
	}
	return o
}

// withDefaults returns the hooks with a function for each.
func (h Hooks) withDefaults() Hooks {
	if h.Supported == nil {
		h.Supported = func(*discovery.Instance) bool { return true }
	}
	if h.Attach == nil {
		h.Attach = func(*Endpoint) any { return nil }
	}
	if h.Detach == nil {
		h.Detach = func(*Endpoint) {}
	}
	return h
}
