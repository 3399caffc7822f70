// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"context"
	"math"
)

// A Line is who waits for a place on one of the connections to a server, all of
// which are full. The zero value is empty.
type Line struct{ queue Queue[*ClientConn] } // its lock is taken below the outboxes' mu

// Wait stands in line and returns a connection on which a place is reserved, for
// [ClientConn.CallReserved] and nothing else. conns returns the connections that
// take calls; it is asked once, and without any there is nothing to wait for.
//
// The wait ends with [ErrBusy] after half of the time that ctx leaves, and for the
// oldest where the line is too long; with what [Line.Dismiss] was told; and with the
// context's error.
func (l *Line) Wait(ctx context.Context, conns func() []*ClientConn) (*ClientConn, error) {
	p := l.queue.Push()
	// What has become free before we stood there, nobody has told us of.
	open := conns()
	for _, c := range open {
		c.seat()
	}
	if len(open) == 0 && l.queue.Leave(p) {
		return nil, ErrTooManyStreams
	}
	return l.queue.Await(ctx, p, true)
}

// Dismiss sends away who waits, with the error.
func (l *Line) Dismiss(why error) { l.queue.Refuse(math.MaxInt, why) }

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
	if line == nil || line.queue.Len() == 0 {
		return
	}
	for c.out.err == nil && !c.ending.Load() && !c.full() && line.queue.Give(c) {
		c.reserved++
	}
}
