// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// The bounds of a [Line].
const (
	// maxWaiting is how many stand in it; beyond that the oldest goes when one comes.
	maxWaiting = 10_000
	// pressureAfter is how long it may be without end before the newest come first.
	pressureAfter = 100 * time.Millisecond
)

// A Line is who waits for a place on one of the connections to a server, all of
// which are full. The zero value is empty.
//
// The first comes first, as is fair where the line is that of a moment. One that
// has not ended for pressureAfter is an overload: it would make everybody wait until
// it is nearly too late, so the newest comes first then, who has the most time left,
// and most are answered soon (adaptive LIFO, as in Maurer, "Fail at Scale", 2015).
type Line struct {
	n atomic.Int32 // written under mu

	mu          sync.Mutex // guards what follows; locked below the outboxes' mu
	first, last *place
	since       time.Time // when it began
}

// A place is that of one call in a Line.
type place struct {
	before, behind *place
	waits          bool
	conn           *ClientConn   // where a call may be made; its place there is reserved
	err            error         // why not
	done           chan struct{} // closed when conn or err is there
}

// Wait stands in line and returns a connection on which a place is reserved, for
// [ClientConn.CallReserved] and nothing else. conns returns the connections that
// take calls; it is asked once, and without any there is nothing to wait for.
//
// The wait ends with [ErrBusy] after half of the time that ctx leaves, and for the
// oldest where the line is too long; with what [Line.Dismiss] was told; and with the
// context's error.
func (l *Line) Wait(ctx context.Context, conns func() []*ClientConn) (*ClientConn, error) {
	now := time.Now()
	p := &place{waits: true, done: make(chan struct{})}
	l.push(p, now)
	// What has become free before we stood there, nobody has told us of.
	open := conns()
	for _, c := range open {
		c.seat()
	}
	var patience <-chan time.Time
	if deadline, ok := ctx.Deadline(); ok {
		timer := time.NewTimer(deadline.Sub(now) / 2)
		defer timer.Stop()
		patience = timer.C
	}
	var err error
	if len(open) == 0 {
		err = ErrTooManyStreams
	} else {
		select {
		case <-p.done:
			return p.conn, p.err
		case <-ctx.Done():
			err = contextError(ctx)
		case <-patience:
			err = l.busy(fmt.Sprintf("no place in %v, half of the time that was left", time.Since(now).Round(time.Millisecond)))
		}
	}
	l.mu.Lock()
	if p.waits {
		defer l.mu.Unlock()
		l.remove(p)
		return nil, err
	}
	l.mu.Unlock()
	<-p.done // our turn has come in this moment
	return p.conn, p.err
}

// Dismiss sends away who waits, with the error.
func (l *Line) Dismiss(why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.first != nil {
		l.tell(l.first, nil, why)
	}
}

func (l *Line) push(p *place, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.n.Load() >= maxWaiting {
		l.tell(l.first, nil, l.busy("the line is as long as it may be"))
	}
	if l.n.Add(1) == 1 {
		l.since, l.first = now, p
	} else {
		l.last.behind, p.before = p, l.last
	}
	l.last = p
}

// seat gives a place on a connection to whose turn it is; false: nobody waits.
func (l *Line) seat(c *ClientConn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.first
	switch {
	case p == nil:
		return false
	case p != l.last && time.Since(l.since) > pressureAfter:
		p = l.last
	}
	l.tell(p, c, nil)
	return true
}

// tell takes p out and ends its waiting. mu is held.
func (l *Line) tell(p *place, c *ClientConn, err error) {
	l.remove(p)
	p.conn, p.err = c, err
	close(p.done)
}

// remove takes p out. mu is held.
func (l *Line) remove(p *place) {
	if p.before != nil {
		p.before.behind = p.behind
	} else {
		l.first = p.behind
	}
	if p.behind != nil {
		p.behind.before = p.before
	} else {
		l.last = p.before
	}
	p.before, p.behind, p.waits = nil, nil, false
	l.n.Add(-1)
}

func (l *Line) busy(why string) error {
	return fmt.Errorf("%w: %d wait for a place among the calls in flight: %s", ErrBusy, l.n.Load(), why)
}

// CallReserved is [ClientConn.Call] on a place that [Line.Wait] has given.
func (c *ClientConn) CallReserved(ctx context.Context, req *Request) (Reply, error) {
	return c.call(ctx, req, true)
}

// full reports whether a newcomer gets no place. out.mu is held.
func (c *ClientConn) full() bool { return c.calls.count+c.reserved >= c.maxCalls }

// seat is seatLocked for those who do not hold out.mu.
func (c *ClientConn) seat() {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	c.seatLocked()
}

// seatLocked gives free places to those who wait. It is called wherever a place may
// have become free: a place is never free while somebody waits, so that no newcomer
// overtakes. out.mu is held.
func (c *ClientConn) seatLocked() {
	line := c.opts.Line
	if line == nil || line.n.Load() == 0 {
		return
	}
	for c.out.err == nil && !c.ending.Load() && !c.full() && line.seat(c) {
		c.reserved++
	}
}
