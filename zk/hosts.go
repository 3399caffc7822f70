// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zk

import (
	"math"
	"slices"
	"time"
)

// hosts decides which server is tried next and after what pause, and notices
// when all of them have turned their backs on the session. Pure: time is an
// argument.
type hosts struct {
	list     []string // in random order
	next     int
	failures int // attempts since the last established session
	min, max time.Duration
	random   func() float64

	silent      map[string]bool // what the last attempt on a server found
	silentSince time.Time       // when the first attempt of an unbroken row was met with silence
}

func newHosts(list []string, opts Options) *hosts {
	shuffle(list, opts.Rand)
	return &hosts{list: list, min: opts.BackoffMin, max: opts.BackoffMax, random: opts.Rand, silent: make(map[string]bool)}
}

// pick returns the server to try now.
func (h *hosts) pick() string { return h.list[h.next] }

// established notes that the server picked has confirmed a session.
func (h *hosts) established() {
	h.failures = 0
	h.forget()
}

func (h *hosts) forget() {
	clear(h.silent)
	h.silentSince = time.Time{}
}

// ended notes the end of an attempt or of a connection and moves on to the next
// server. silent: the server accepted the connection and closed it without a
// byte.
func (h *hosts) ended(silent bool, now time.Time) {
	if silent {
		h.silent[h.pick()] = true
		if h.silentSince.IsZero() {
			h.silentSince = now
		}
	} else {
		h.forget()
	}
	h.next = (h.next + 1) % len(h.list)
}

// unwanted tells whether every server has been silent, and nothing else, for
// longer than timeout.
func (h *hosts) unwanted(timeout time.Duration, now time.Time) bool {
	return !h.silentSince.IsZero() && now.Sub(h.silentSince) > timeout &&
		!slices.ContainsFunc(h.list, func(s string) bool { return !h.silent[s] })
}

// pause returns how long to wait before the next attempt: random between 0 and
// a limit that doubles with each round over the servers (full jitter).
func (h *hosts) pause() time.Duration {
	round := min(h.failures/len(h.list), 62)
	h.failures++
	limit := min(float64(h.max), math.Ldexp(float64(h.min), round))
	return time.Duration(h.random() * limit)
}
