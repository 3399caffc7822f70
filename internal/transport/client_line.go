// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"context"
	"fmt"
	"math"
)

// shortLine is how many stand in a Line while callers wait long for a processor.
const shortLine = 256

// errLag is ErrBusy where the processor is what there is not enough of.
var errLag = fmt.Errorf("%w, and this process has more to do than its processors can", ErrBusy)

// A Line is who waits for a place on one of the connections to a server, all of
// which are full. The zero value is empty.
//
// Who waits is not free: a goroutine that has to be started, parked and woken, and whose
// stack every garbage collection looks through. While it is the processor that there is
// not enough of, to wait makes it worse for all, so the line is kept short, and newcomers
// are refused, which costs next to nothing.
type Line struct {
	queue Queue[*ClientConn] // its lock is a leaf
	lag   lag
}

// Wait stands in line and returns a connection on which a place is taken, for
// [ClientConn.CallReserved] and nothing else. conns returns the connections that
// take calls; it is asked by those who stand there first, and now and then. Without
// any there is nothing to wait for.
//
// The wait ends with [ErrBusy] after half of the time that ctx leaves, and for the
// oldest where the line is too long; with what [Line.Dismiss] was told; and with the
// context's error.
func (l *Line) Wait(ctx context.Context, conns func() []*ClientConn) (*ClientConn, error) {
	if l.lag.lasts() {
		l.queue.Refuse(l.queue.Len()-shortLine, errLag)
		if l.queue.Len() >= shortLine {
			return nil, errLag
		}
	}
	p := l.queue.Push(ctx, true)
	if p.looks {
		open := conns()
		for _, c := range open {
			c.seat()
		}
		if len(open) == 0 {
			l.Dismiss(ErrTooManyStreams)
		}
	}
	return l.queue.Await(ctx, p)
}

// Dismiss sends away who waits, with the error.
func (l *Line) Dismiss(why error) { l.queue.Refuse(math.MaxInt, why) }

// CallReserved is [ClientConn.Call] on a place that [Line.Wait] has given.
func (c *ClientConn) CallReserved(ctx context.Context, req *Request) (Reply, error) {
	return c.call(ctx, req)
}

// enter takes a place, which [ClientConn.leave] gives back, unless all are taken. There
// are as many as calls may be in flight. A call keeps its place until its caller has
// gone on: where callers wait long for a processor, their places keep others out, who
// would only wait with them. And it takes no lock that callers who are refused would
// stand before, by the thousand when they are least wanted.
func (c *ClientConn) enter() bool {
	for {
		taken := c.places.Load()
		if taken >= c.most.Load() {
			return false
		}
		if c.places.CompareAndSwap(taken, taken+1) {
			return true
		}
	}
}

// leave gives a place to whose turn it is, or back: a place is never free while somebody
// waits, so that no newcomer overtakes.
func (c *ClientConn) leave() {
	if c.waited() && c.places.Load() <= c.most.Load() && c.opts.Line.queue.Give(c) {
		return
	}
	c.places.Add(-1)
	c.seat() // who has come to stand in line in this moment
}

// seat gives free places to those who wait.
func (c *ClientConn) seat() {
	for c.waited() && c.enter() {
		if !c.opts.Line.queue.Give(c) {
			c.places.Add(-1)
		}
	}
}

// waited reports whether somebody waits for a place who could use one here.
func (c *ClientConn) waited() bool {
	return c.opts.Line != nil && c.opts.Line.queue.Len() > 0 && c.Accepts()
}

// setMost follows what the server has said. out.mu is held.
func (c *ClientConn) setMost() {
	c.maxCalls = min(c.opts.MaxStreams, int(c.peer.MaxStreams))
	c.most.Store(int32(c.maxCalls)) //nolint:gosec // at most frame.MaxMaxStreams
}
