// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/rollcall-rpc/rollcall/internal/loglimit"
	"github.com/rollcall-rpc/rollcall/internal/transport"
)

// maxIdleCallers bounds the connections of a dialect that a client keeps to one
// instance while no call needs them.
const maxIdleCallers = 1024

// A callerPool holds a dialect's connections to one instance, and those who wait for
// one.
//
// Of the connections at rest the one used last is used first. So those that only the
// largest number of calls at once has needed rest the longest, and the idle limit
// makes the pool as large as that number was of late.
//
// A place on a connection is never free while somebody waits, so no newcomer
// overtakes; and while somebody waits there is a connection, or a dial under way.
type callerPool struct {
	idleLimit time.Duration // not positive: none
	most      int           // connections; 0: any number
	carries   int           // calls that one carries at once
	dial      func() (*callerConn, error)
	group     *group
	log       *loglimit.Limiter

	retirement chan struct{} // closed when retired
	queue      transport.Queue[*callerConn]

	mu       sync.Mutex // guards what follows; above the queue's and the group's
	retired  bool
	standing int           // connections that are not gone
	dialing  int           // further ones
	shared   []*callerConn // with calls, and room for more
	idle     []*callerConn // without calls, the one that has rested longest first
	sweeping bool          // somebody sees to it that none rests too long
}

func newCallerPool(d *Dialect, dial func() (*callerConn, error), g *group, log *loglimit.Limiter) *callerPool {
	return &callerPool{
		idleLimit: d.IdleTimeout, most: d.MaxConnections, carries: d.CallsPerConnection,
		dial: dial, group: g, log: log, retirement: make(chan struct{}),
	}
}

// take returns a connection with a place for a call, which [callerPool.put] gives
// back. It is one that stands, or a new one. phase is where it failed. A dial goes on
// when ctx ends: it tells of the instance, and another call may use what comes of it.
func (cp *callerPool) take(ctx context.Context) (c *callerConn, phase Phase, err error) {
	var ended []*callerConn
	defer func() { cp.close(ended) }()
	cp.mu.Lock()
	if cp.retired {
		cp.mu.Unlock()
		return nil, PhaseDial, errRetired
	}
	if c, ended = cp.free(); c != nil {
		cp.mu.Unlock()
		return c, 0, nil
	}
	// A dial ends in time by itself; calls that hold all there may be need not.
	full := cp.most > 0 && cp.standing+cp.dialing >= cp.most
	phase = PhaseDial
	if full {
		phase = PhaseQueue
	}
	place := cp.queue.Push(ctx, full)
	cp.dialMore()
	cp.mu.Unlock()
	if c, err = cp.queue.Await(ctx, place); err != nil {
		return nil, phase, err
	}
	if ctx.Err() != nil { // its turn has come too late
		cp.put(c, false)
		return nil, phase, context.Cause(ctx)
	}
	return c, 0, nil
}

// free returns a connection with a place, which is then taken, or nil; and those that
// were found to have ended, to be closed. mu is held.
func (cp *callerPool) free() (c *callerConn, ended []*callerConn) {
	for n := len(cp.shared); n > 0; n = len(cp.shared) {
		if c = cp.shared[n-1]; !c.conn.ended.Load() {
			cp.occupy(c)
			return c, ended
		}
		cp.drop(c) // those on it close it
	}
	for n := len(cp.idle); n > 0; n = len(cp.idle) {
		c = cp.idle[n-1]
		cp.idle = slices.Delete(cp.idle, n-1, n)
		if c.alive(cp.carries) {
			cp.occupy(c)
			return c, ended
		}
		cp.drop(c)
		ended = append(ended, c)
	}
	return nil, ended
}

// occupy takes a place on c, which does not rest any more. mu is held.
func (cp *callerPool) occupy(c *callerConn) {
	c.calls++
	cp.share(c)
}

// share notes whether c has calls, and room for more. mu is held.
func (cp *callerPool) share(c *callerConn) {
	at := slices.Index(cp.shared, c)
	switch shared := !c.gone && c.calls > 0 && c.calls < cp.carries; {
	case shared && at < 0:
		cp.shared = append(cp.shared, c)
	case !shared && at >= 0:
		cp.shared = slices.Delete(cp.shared, at, at+1)
	}
}

// put gives a place back. A connection that is broken is closed, once no other call
// is on it.
func (cp *callerPool) put(c *callerConn, broken bool) {
	cp.mu.Lock()
	c.calls--
	c.reused.Store(true)
	switch {
	case c.gone: // by the word of another call
	case broken, cp.retired, c.calls == 0 && cp.queue.Len() > 0 && !c.alive(cp.carries):
		cp.drop(c)
		cp.dialMore()
	default:
		cp.offer(c)
	}
	unused := c.gone && c.calls == 0
	cp.mu.Unlock()
	if unused {
		closeCaller(cp.log, c.caller)
	}
}

// offer lets who waits have the places on c; without anybody it rests. mu is held.
func (cp *callerPool) offer(c *callerConn) {
	for c.calls < cp.carries && cp.queue.Give(c) {
		c.calls++
	}
	cp.share(c)
	switch {
	case c.calls > 0:
	case len(cp.idle) >= maxIdleCallers:
		cp.drop(c)
	default:
		c.since = time.Now()
		c.reused.Store(true)
		cp.idle = append(cp.idle, c)
		if !cp.sweeping && cp.idleLimit > 0 {
			cp.sweeping = cp.group.spawn(cp.sweep)
		}
	}
}

// drop takes c out, which does not rest any more: it gets no further calls. mu is
// held.
func (cp *callerPool) drop(c *callerConn) {
	if c.gone {
		return
	}
	c.gone = true
	cp.standing--
	cp.share(c)
}

// dialMore begins as many dials as those need who wait, and as there may be. mu is
// held.
func (cp *callerPool) dialMore() {
	for cp.dialing*cp.carries < cp.queue.Len() && (cp.most == 0 || cp.standing+cp.dialing < cp.most) {
		if cp.retired || !cp.group.spawn(cp.dialOne) {
			cp.queue.Refuse(cp.queue.Len(), errRetired)
			return
		}
		cp.dialing++
	}
}

// dialOne opens a connection for those who wait, or fails for as many of them.
func (cp *callerPool) dialOne() {
	c, err := cp.dial()
	cp.mu.Lock()
	cp.dialing--
	switch {
	case err == nil:
		cp.standing++
		if cp.retired {
			cp.drop(c)
		} else {
			cp.offer(c)
		}
	case cp.standing+cp.dialing == 0: // there is nothing else to wait for
		cp.queue.Refuse(cp.queue.Len(), err)
	default:
		cp.queue.Refuse(min(cp.carries, cp.queue.Len()-cp.dialing*cp.carries), err)
	}
	unused := err == nil && c.gone
	cp.mu.Unlock()
	if unused {
		closeCaller(cp.log, c.caller)
	}
}

// sweep closes connections that have rested too long, until none rests.
func (cp *callerPool) sweep() {
	timer := time.NewTimer(cp.idleLimit)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-cp.retirement:
		case <-cp.group.ctx.Done():
			return // the retirement follows
		}
		cp.mu.Lock()
		now := time.Now()
		n := 0
		for n < len(cp.idle) && now.Sub(cp.idle[n].since) >= cp.idleLimit {
			n++
		}
		old := cp.takeIdle(n)
		if len(cp.idle) == 0 {
			cp.sweeping = false
			cp.mu.Unlock()
			cp.close(old)
			return
		}
		timer.Reset(cp.idle[0].since.Add(cp.idleLimit).Sub(now))
		cp.mu.Unlock()
		cp.close(old)
	}
}

// forget closes the connections that rest after one has died under a call, for they
// have most likely died with it: where that one was seen to end, those alone that do
// not show to stand.
func (cp *callerPool) forget(ended bool) {
	var kept, dead []*callerConn
	cp.mu.Lock()
	for _, c := range cp.idle {
		if ended && c.conn.socket.Peek() == transport.PendingNone {
			kept = append(kept, c)
			continue
		}
		dead = append(dead, c)
		cp.drop(c)
	}
	cp.idle = kept
	cp.mu.Unlock()
	cp.close(dead)
}

// retire closes the connections that rest, and the others once no call is on them.
// Who waits goes.
func (cp *callerPool) retire() {
	cp.mu.Lock()
	if !cp.retired {
		cp.retired = true
		close(cp.retirement)
	}
	cp.queue.Refuse(cp.queue.Len(), errRetired)
	rest := cp.takeIdle(len(cp.idle))
	cp.mu.Unlock()
	cp.close(rest)
}

// atHand reports whether a call needs no dial, as far as can be told.
func (cp *callerPool) atHand() bool {
	cp.mu.Lock()
	defer cp.mu.Unlock()
	return len(cp.idle)+len(cp.shared) > 0
}

// rests returns since when the connection rests that does so longest; false: none does.
func (cp *callerPool) rests() (since time.Time, ok bool) {
	cp.mu.Lock()
	defer cp.mu.Unlock()
	if len(cp.idle) == 0 {
		return since, false
	}
	return cp.idle[0].since, true
}

// closeLongest closes that connection; false: none rests any more.
func (cp *callerPool) closeLongest() bool {
	cp.mu.Lock()
	old := cp.takeIdle(min(len(cp.idle), 1))
	cp.mu.Unlock()
	cp.close(old)
	return len(old) > 0
}

// takeIdle drops the n connections that have rested longest. mu is held.
func (cp *callerPool) takeIdle(n int) []*callerConn {
	old := slices.Clone(cp.idle[:n])
	cp.idle = slices.Delete(cp.idle, 0, n)
	for _, c := range old {
		cp.drop(c)
	}
	return old
}

func (cp *callerPool) close(list []*callerConn) {
	for _, c := range list {
		closeCaller(cp.log, c.caller)
	}
}

// count returns how many connections stand.
func (cp *callerPool) count() int {
	cp.mu.Lock()
	defer cp.mu.Unlock()
	return cp.standing
}
