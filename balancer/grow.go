// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package balancer

import (
	"math"
	"time"

	"github.com/rollcall-rpc/rollcall/discovery"
)

const (
	// growSteps is in how many steps a share grows, from one step on.
	growSteps = 10

	// trialFor is how long the share of an instance grows that was ejected and
	// is let in again.
	trialFor = 10 * time.Second
)

// A registryClock tells what time it is at least on the registry's clock. It
// goes by the local one from the moment on at which an entry was seen that says
// when it was written; of several the one counts that says the most.
type registryClock struct {
	written time.Time // on the registry's clock
	seen    time.Time // on the local one
}

// now returns the registry's time, or an earlier one.
func (c *registryClock) now(local time.Time) time.Time {
	return c.written.Add(local.Sub(c.seen))
}

func (c *registryClock) observe(written, local time.Time) {
	if c.seen.IsZero() || written.After(c.now(local)) {
		c.written, c.seen = written, local
	}
}

// birth returns when an instance was born whose entry is new, on the registry's
// clock. Zero: its age is not known, because the entry may have been there before
// the Roster could see it; it is taken for old.
func (r *Roster) birth(now time.Time, in *discovery.Instance) time.Time {
	if !r.following || in.Registered.IsZero() || r.opts.SlowStart < 0 {
		return time.Time{}
	}
	r.clock.observe(in.Registered, now)
	return in.Registered
}

// enroll puts a slot among those that grow.
func (r *Roster) enroll(s *slot) {
	if !s.growing {
		s.growing = true
		r.growing = append(r.growing, s)
	}
}

// grow brings the shares up to date of all who have less than their weight.
func (r *Roster) grow(now time.Time) {
	young := r.growing[:0]
	for _, s := range r.growing {
		share := r.share(now, s)
		if share == 1 {
			s.born = time.Time{}
			s.current.load.trial.Store(false)
		}
		if share != s.share {
			s.share = share
			r.touch(s)
		}
		if s.growing = share < 1 && !s.gone; s.growing {
			young = append(young, s)
		}
	}
	clear(r.growing[len(young):])
	r.growing, r.growAt = young, time.Time{}
	if len(young) > 0 {
		step := trialFor
		if r.opts.SlowStart > 0 {
			step = min(step, r.opts.SlowStart)
		}
		r.growAt = now.Add(step / growSteps)
	}
}

// share returns which part of its weight an instance has grown to.
func (r *Roster) share(now time.Time, s *slot) float64 {
	share := 1.0
	if !s.born.IsZero() {
		share = float64(r.clock.now(now).Sub(s.born)) / float64(r.opts.SlowStart)
	}
	if s.onTrial() {
		share = min(share, float64(now.Sub(s.readmitted))/float64(trialFor))
	}
	return min(1, max(1, math.Floor(share*growSteps))/growSteps)
}
