// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"sync"
	"sync/atomic"
	"time"
)

// The retry budget of a [Client]: of the attempts beyond each call's first, one
// for every five calls and ten per second.
const (
	RetryPercent     = 20
	RetriesPerSecond = 10
)

const retriesPerCall = RetryPercent / 100.0

// budgetWindow is how long what was not used is kept: calls and seconds longer
// ago count no more.
const budgetWindow = 10 * time.Second

// A retryBudget bounds the attempts that are not the first of their call, so that
// retries cannot multiply the load of servers that fail under it. It reads no
// clock. In any stretch of time it grants at most retriesPerCall for each call
// and RetriesPerSecond for each second in it, and what was saved in the
// budgetWindow before. What the first second gives is there from the beginning.
//
// The idea is that of Finagle's RetryBudget.
type retryBudget struct {
	calls atomic.Uint64 // every call adds to it: it has to cost next to nothing
	_     [56]byte      // what follows is changed by retries alone

	mu     sync.Mutex // guards what follows
	seen   uint64     // calls that are in earned
	looked time.Time
	earned float64 // by calls
	saved  float64 // by time
}

func newRetryBudget(now time.Time) *retryBudget {
	return &retryBudget{looked: now.Add(time.Second), saved: RetriesPerSecond}
}

// called counts a call.
func (b *retryBudget) called() { b.calls.Add(1) }

// take reports whether one more attempt may be made, and charges it.
func (b *retryBudget) take(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.look(now)
	switch {
	case b.earned >= 1:
		b.earned--
	case b.saved >= 1:
		b.saved--
	case b.earned+b.saved >= 1:
		b.saved -= 1 - b.earned
		b.earned = 0
	default:
		return false
	}
	return true
}

// left returns how many attempts may be made now.
func (b *retryBudget) left(now time.Time) float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.look(now)
	return b.earned + b.saved
}

// look adds what came in since the last look, and lets fade what is too old. The
// calls are taken to have come evenly. mu is held.
func (b *retryBudget) look(now time.Time) {
	calls := b.calls.Load()
	fresh := float64(calls - b.seen)
	b.seen = calls
	passed := max(now.Sub(b.looked), 0)
	b.looked = b.looked.Add(passed)
	kept := 1 - min(passed.Seconds()/budgetWindow.Seconds(), 1)
	if passed > budgetWindow {
		fresh *= budgetWindow.Seconds() / passed.Seconds()
	}
	b.earned = b.earned*kept + fresh*retriesPerCall
	b.saved = min(b.saved+passed.Seconds()*RetriesPerSecond, RetriesPerSecond*budgetWindow.Seconds())
}
