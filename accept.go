// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"errors"
	"net"
	"syscall"
	"time"

	"github.com/rollcall-rpc/rollcall/internal/shortage"
	"github.com/rollcall-rpc/rollcall/internal/transport"
)

const (
	acceptPauseMin = 5 * time.Millisecond
	acceptPauseMax = time.Second

	// shedLeast is how many silent or idle connections are closed where no descriptor
	// is left for a new one: room for those who wait, and for what they need. Where
	// there are many, it is a share of them.
	shedLeast = 8
	shedShare = 16

	// idleParting is how long a client that was idle has to read that its connection
	// ends, and roomParting the same where somebody waits for the place.
	idleParting = 2 * time.Second
	roomParting = 100 * time.Millisecond

	// stallLook is how often a drain looks whether its clients read.
	stallLook = time.Second
)

// stopAccepting closes the listener and returns when no connection can be added
// any more.
func (c *connSet) stopAccepting() {
	c.stopping.Store(true)
	c.listener.Close() // it may be closed already
	<-c.accepted
}

// accept takes connections until the listener is closed, or breaks. What passes,
// such as too many open files, is waited out.
func (c *connSet) accept() error {
	wait := time.Duration(0)
	for {
		conn, err := c.listener.Accept()
		if err == nil {
			wait = 0
			c.add(conn)
			continue
		}
		// What a listener says that was closed is its own choice of words.
		if c.stopping.Load() || c.ctx.Err() != nil || !passes(err) {
			return err
		}
		shed := 0
		if shortage.OfDescriptors(err) {
			shed = c.shedIdle()
		}
		wait = min(max(2*wait, acceptPauseMin), acceptPauseMax)
		c.server.log.Warn("a connection cannot be accepted", "error", err, "pause", wait, "closed_for_it", shed)
		timer := time.NewTimer(wait)
		select {
		case <-c.left: // somebody has, and his descriptor is free
		case <-timer.C:
		case <-c.ctx.Done():
			return err
		}
		timer.Stop()
	}
}

// passes reports whether an error of Accept is the state of the system or of one
// connection, and not the end of the listener.
func passes(err error) bool {
	if shortage.Is(err) || errors.Is(err, syscall.ECONNABORTED) {
		return true
	}
	temporary, ok := errors.AsType[interface {
		error
		Temporary() bool
	}](err)
	return ok && temporary.Temporary()
}

// add gives a new connection its goroutine. Where there are too many it takes the
// place of one that is silent or idle, if there is one.
func (c *connSet) add(conn net.Conn) {
	c.awaitLeaving()
	name, now := hostOf(conn.RemoteAddr()), time.Now()
	c.mu.Lock()
	if c.ctx.Err() != nil {
		c.mu.Unlock()
		c.turnAway(conn, ErrServerClosed)
		return
	}
	gives, reason := c.places.room(name, now)
	if gives == nil && reason != nil {
		c.mu.Unlock()
		c.server.log.Warn("too many connections, a new one is closed", "address", conn.RemoteAddr().String(), "error", reason,
			"limit", c.server.opts.MaxConnections, "limit_of_address", c.server.opts.MaxConnectionsPerHost)
		c.turnAway(conn, reason)
		return
	}
	if gives != nil {
		c.places.dismiss(gives, reason)
	}
	g := c.places.enter(conn, name, now)
	c.mu.Unlock()
	c.wg.Go(func() { c.serve(g) })
	if gives != nil {
		c.server.log.Warn("a connection is closed for a new one", "address", gives.conn.RemoteAddr().String(), "new", conn.RemoteAddr().String(), "error", reason)
		c.dismiss(gives)
	}
}

// awaitLeaving waits while there are too many connections beyond the places: who was
// told to go may take a while.
func (c *connSet) awaitLeaving() {
	for {
		c.mu.Lock()
		crowded := c.places.crowded()
		c.mu.Unlock()
		if !crowded {
			return
		}
		select {
		case <-c.left:
		case <-c.ctx.Done():
			return
		}
	}
}

// tellLeft tells awaitLeaving that one has left, or stays.
func (c *connSet) tellLeft() {
	select {
	case c.left <- struct{}{}:
	default:
	}
}

// turnAway closes a connection that gets no place.
func (c *connSet) turnAway(conn net.Conn, why error) {
	conn.Close() // refused
	tell(c.server, c.server.opts.Events.ConnClose, ConnInfo{Peer: Peer{Addr: conn.RemoteAddr()}, Err: why})
}

// dismiss ends the connection of a guest that was told to go. One of Rollcall's own
// is told: a call that comes at this moment is not executed, and its client knows.
// Where a request has come on it meanwhile, it stays.
func (c *connSet) dismiss(g *guest) {
	c.mu.Lock()
	sc, foreign, parting := g.rollcall, g.foreign, roomParting
	if errors.Is(g.shed, errIdle) {
		parting = idleParting
	}
	c.mu.Unlock()
	stays := func() {
		c.mu.Lock()
		c.places.keep(g)
		c.mu.Unlock()
		c.tellLeft()
	}
	switch {
	case sc != nil:
		c.waiters.Go(func() {
			if !sc.CloseIdle(parting) {
				stays()
			}
		})
	case foreign && !g.use.over():
		stays()
	default:
		g.conn.Close() // it ends the read
	}
}

// shedIdle closes some of the connections that have been silent or idle for longest,
// and returns how many.
func (c *connSet) shedIdle() int {
	now := time.Now()
	c.mu.Lock()
	n := max(shedLeast, len(c.places.guests)/shedShare) - c.places.leaving
	list := c.places.shed(max(n, 0), now)
	c.mu.Unlock()
	for _, g := range list {
		c.dismiss(g)
	}
	return len(list)
}

// look looks at the connections now and then, until the server ends: those that have
// been idle for IdleTimeout end, and those whose clients do not read; where too much
// is held of unfinished requests, the one that holds the oldest of them.
func (c *connSet) look() {
	ticker := time.NewTicker(transport.LookEvery)
	defer ticker.Stop()
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-c.greedy:
			c.shedGreediest()
		case now := <-ticker.C:
			c.mu.Lock()
			idle := c.places.look(now, c.server.opts.IdleTimeout)
			for _, g := range idle {
				c.places.dismiss(g, errIdle)
			}
			conns := c.rollcallConns()
			c.mu.Unlock()
			for _, g := range idle {
				c.dismiss(g)
			}
			for _, sc := range conns {
				if sc.Look().Stalled >= transport.StallLooks {
					sc.Abort(transport.ErrStalled)
				}
			}
		}
	}
}

// tellGreedy has shedGreediest called soon.
func (c *connSet) tellGreedy() {
	select {
	case c.greedy <- struct{}{}:
	default:
	}
}

// shedGreediest ends the connection that holds the oldest unfinished request, of
// several the one that holds the most.
func (c *connSet) shedGreediest() {
	c.mu.Lock()
	var worst *guest
	var most transport.Condition
	for g := range c.places.guests {
		if g.rollcall == nil {
			continue
		}
		if is := g.rollcall.Held(); is.Unfinished > 0 && (is.Age > most.Age || (is.Age == most.Age && is.Unfinished > most.Unfinished)) {
			worst, most = g, is
		}
	}
	c.mu.Unlock()
	if worst == nil {
		return
	}
	c.server.log.Warn("a connection is closed: it holds the oldest of too many unfinished requests",
		"address", worst.conn.RemoteAddr().String(), "bytes", most.Unfinished, "limit", c.server.opts.MaxBufferedBytes)
	worst.rollcall.Abort(errUnfinished)
}

// shedStalled ends connections whose clients do not read, while the server drains
// and waits for replies to be written.
func (c *connSet) shedStalled() {
	ticker := time.NewTicker(stallLook)
	defer ticker.Stop()
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-ticker.C:
			c.mu.Lock()
			conns := c.rollcallConns()
			c.mu.Unlock()
			for _, sc := range conns {
				if sc.Look().Stalled > 1 {
					sc.Abort(transport.ErrStalled)
				}
			}
		}
	}
}
