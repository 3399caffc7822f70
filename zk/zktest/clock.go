// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zktest

import (
	"sync"
	"time"
)

// A Clock is a server's clock that stands still until it is turned. Sessions,
// times to live, containers, [Delay] and the times in Stats live by it; the
// clients do not. A client that asks nothing between two turns has not been heard
// of, however often it sends pings in its own time.
//
// One clock may serve several servers. Its methods may be called from any
// goroutine.
type Clock struct {
	turning sync.Mutex // held by Turn

	mu    sync.Mutex // guards what follows
	armed sync.Cond  // owed has become less
	now   time.Time
	waits []*wait
	owed  int // waits that servers are about to begin
}

// A wait is one call of After that has not ended.
type wait struct {
	at   time.Time
	done chan time.Time
	by   *serverClock // nil: it does not come back
}

// NewClock returns a clock that stands at the beginning of 2026, UTC.
func NewClock() *Clock {
	c := &Clock{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	c.armed.L = &c.mu
	return c
}

// Now returns what the clock shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Turn lets d pass, which must not be negative. When it returns, the servers have
// done all that fell due on the way, each thing at its time: sessions not heard of
// for longer than their timeout have ended, found at the next tick, and containers
// and nodes with a time to live were removed. What [Delay] held back goes on, and
// is not waited for.
func (c *Clock) Turn(d time.Duration) {
	c.turning.Lock()
	defer c.turning.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	end := c.now.Add(d)
	for {
		for c.owed > 0 {
			c.armed.Wait()
		}
		next := c.earliest()
		if next < 0 || c.waits[next].at.After(end) {
			break
		}
		w := c.waits[next]
		c.waits = append(c.waits[:next], c.waits[next+1:]...)
		c.now = w.at
		if w.by != nil {
			w.by.owe(1)
		}
		w.done <- c.now
	}
	c.now = end
}

// earliest returns the index of the wait that ends first, -1 if there is none.
func (c *Clock) earliest() int {
	first := -1
	for i, w := range c.waits {
		if first < 0 || w.at.Before(c.waits[first].at) {
			first = i
		}
	}
	return first
}

// after begins a wait.
func (c *Clock) after(d time.Duration, by *serverClock) <-chan time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := &wait{at: c.now.Add(d), done: make(chan time.Time, 1), by: by}
	c.waits = append(c.waits, w)
	if by != nil {
		by.owe(-1)
	}
	return w.done
}

// A serverClock is a clock as one server sees it: it has a fixed number of waits,
// and begins one anew when what was due is done. That is how Turn knows.
type serverClock struct {
	*Clock
	owed int // guarded by Clock.mu
}

// After implements zkserver.Clock.
func (s *serverClock) After(d time.Duration) <-chan time.Time { return s.after(d, s) }

// owe notes waits that the server is about to begin, or has begun. Called with mu
// held.
func (s *serverClock) owe(n int) {
	s.owed += n
	s.Clock.owed += n
	s.armed.Broadcast()
}

// start notes that the server begins to work, with so many waits.
func (s *serverClock) start(waits int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.owe(waits)
}

// stop forgets the waits of a server that has stopped.
func (s *serverClock) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	var others []*wait
	for _, w := range s.waits {
		if w.by != s {
			others = append(others, w)
		}
	}
	s.waits = others
	s.owe(-s.owed)
}
