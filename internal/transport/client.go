// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-rpc/rollcall/frame"
)

// lastReadTime bounds the reading of what the server had sent before a write
// failed: it is there already.
const lastReadTime = 100 * time.Millisecond

// A ClientConn is the client's end of a connection. All methods may be called
// from any goroutine.
type ClientConn struct {
	conn net.Conn
	opts ClientOptions
	in   inbox
	out  outbox

	wg     sync.WaitGroup // reader, and monitor while there is one
	shaken chan struct{}  // closed when the server's preface has come
	done   chan struct{}  // closed when the connection is dead
	dead   chan struct{}  // closed after OnClose as well
	probe  *Probe         // the monitor's; so is what follows
	unsent func() (n uint64, known bool)
	link   link

	spare    callPool
	partials map[uint64]*partial // the reader's: replies with pieces to come
	goAways  int                 // likewise: how many have come
	saidAway frame.GoAway        // likewise: the last one
	draining atomic.Bool         // a GOAWAY has come, of a server that leaves
	idle     atomic.Bool         // one has come for the connection was idle
	ending   atomic.Bool         // one has that new calls are not for this connection
	places   atomic.Int32        // how many are taken; see enter
	most     atomic.Int32        // of them; written under out.mu
	rests    atomic.Int64        // since when there is nothing to watch, as a time since epoch; 0: there is

	// What follows is guarded by out.mu.
	calls     pending
	greeted   bool              // the server's preface has come
	peer      frame.Settings    // what the server receives, without zeros
	maxCalls  int               // the lower of both sides' limits
	lastServe uint64            // the last id that the server may still serve
	goAway    error             // the last GOAWAY
	writeErr  error             // why nothing can be written any more
	refused   bool              // the server's preface refused us: nothing was executed
	sleeping  bool              // there is no monitor
	pings     map[uint64]func() // what to do with a PONG
	pingID    uint64
	confirmed uint64 // the outbox's position up to which the server's answers show that all has come
}

// NewClientConn takes over conn, sends the preface, together with a request
// that comes at once, and starts the goroutines of the connection, which
// [ClientConn.Close] ends.
func NewClientConn(conn net.Conn, opts ClientOptions) *ClientConn {
	c := &ClientConn{
		conn: conn, opts: opts.withDefaults(),
		shaken: make(chan struct{}), done: make(chan struct{}), dead: make(chan struct{}),
		peer:      frame.Settings{}.WithDefaults(),
		lastServe: frame.LastStreamAll,
		sleeping:  opts.KeepaliveInterval >= 0,
	}
	c.setMost()
	c.probe = NewProbe(conn)
	c.unsent = c.probe.unsent
	c.rest()
	c.in.init(conn, c.opts.MaxFrameBytes)
	c.out.init(conn, c.opts.QueueBytes, c.writeFailed, nil)
	if c.opts.Line != nil {
		c.out.lag = &c.opts.Line.lag
	}
	c.out.commit(frame.AppendPreface(c.out.reserve(frame.MaxPrefaceBytes),
		frame.Preface{InstanceID: c.opts.InstanceID, Settings: c.opts.settings()}))
	c.wg.Go(c.read)
	return c
}

// Handshake waits for the server's preface. It returns nil once it has come,
// the connection's cause of death, or the context's error.
func (c *ClientConn) Handshake(ctx context.Context) error {
	select {
	case <-c.shaken:
		return nil
	default:
	}
	select {
	case <-c.shaken:
		return nil
	case <-c.done:
		return c.Err()
	case <-ctx.Done():
		return contextError(ctx)
	}
}

// Ping measures a round trip to the server's reader. It returns the
// connection's cause of death or the context's error.
func (c *ClientConn) Ping(ctx context.Context) (time.Duration, error) {
	pong := make(chan struct{})
	c.out.mu.Lock()
	if err := c.out.waitRoom(ctx); err != nil {
		c.out.mu.Unlock()
		return 0, err
	}
	c.pingID++
	id := c.pingID
	if c.pings == nil {
		c.pings = make(map[uint64]func())
	}
	c.pings[id] = func() { close(pong) }
	start := time.Now()
	c.appendPing(id)
	c.unlockAndFlush()
	var err error
	select {
	case <-pong:
		c.rested()
		return time.Since(start), nil
	case <-c.done:
		err = c.Err()
	case <-ctx.Done():
		err = contextError(ctx)
	}
	c.out.mu.Lock()
	delete(c.pings, id)
	c.out.mu.Unlock()
	return 0, err
}

// InFlight returns the number of calls that wait for their answer.
func (c *ClientConn) InFlight() int {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	return c.calls.count
}

// Draining reports whether the server has sent a GOAWAY, and not for the connection
// was idle.
func (c *ClientConn) Draining() bool { return c.draining.Load() }

// Idle reports whether the server has ended the connection for nothing happened on
// it. That says nothing of the server.
func (c *ClientConn) Idle() bool { return c.idle.Load() }

// Accepts reports whether new calls may be put on the connection: it lives, and
// a GOAWAY, if there was one, says that the server as a whole leaves and still
// serves everything, so that another connection to it would be no better.
func (c *ClientConn) Accepts() bool { return !c.ending.Load() }

// Rests returns for how long nothing has happened on the connection; 0: something
// does, or nobody watches it. Behind a long rest something on the way may have
// forgotten it. It is exact to a third of KeepaliveInterval.
func (c *ClientConn) Rests() time.Duration {
	since := c.rests.Load()
	if since == 0 || c.opts.KeepaliveInterval < 0 {
		return 0
	}
	return time.Since(epoch) - time.Duration(since)
}

// rest notes that nothing happens from now on.
func (c *ClientConn) rest() { c.rests.Store(int64(time.Since(epoch))) }

// rested notes that something has happened, of which no call remains.
func (c *ClientConn) rested() {
	if since := c.rests.Load(); since != 0 {
		c.rests.CompareAndSwap(since, int64(time.Since(epoch)))
	}
}

// Done is closed when the connection is dead.
func (c *ClientConn) Done() <-chan struct{} { return c.done }

// Err returns what the connection died of; nil while it lives.
func (c *ClientConn) Err() error {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	return c.out.err
}

// Close ends the connection; calls in flight fail with [ErrClosed]. It returns
// after all goroutines of the connection have ended. It must not be called from
// OnGoAway or OnClose.
func (c *ClientConn) Close() error {
	c.die(ErrClosed)
	<-c.dead
	c.wg.Wait()
	c.out.wg.Wait()
	return nil
}

// CloseIdle is Close where no call is in flight; else it does nothing and returns
// false. A call that comes at the same time is refused with [ErrIdle], not executed, or
// keeps the connection.
func (c *ClientConn) CloseIdle() bool {
	c.out.mu.Lock()
	if c.calls.count > 0 {
		c.out.mu.Unlock()
		return false
	}
	c.dieLocked(ErrIdle)
	c.Close()
	return true
}

// IdleSince returns since when no call has been on the connection; false: one is, or
// will be, for a place is kept for it, or the connection is dead. It is exact to a third
// of KeepaliveInterval, and where that is off, to the life of the connection.
func (c *ClientConn) IdleSince() (time.Time, bool) {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	if c.calls.count > 0 || c.places.Load() > 0 || c.out.err != nil {
		return time.Time{}, false
	}
	since := c.rests.Load()
	if since == 0 {
		return time.Now(), true // the monitor has not noticed yet
	}
	return epoch.Add(time.Duration(since)), true
}

// die ends the connection with its cause; the first wins.
func (c *ClientConn) die(cause error) {
	c.out.mu.Lock()
	c.dieLocked(cause)
}

// dieLocked is die with out.mu held, which it releases.
func (c *ClientConn) dieLocked(cause error) {
	if c.out.err != nil {
		c.out.mu.Unlock()
		return
	}
	c.ending.Store(true) // before the calls fail: whoever tries again wants another connection
	c.out.kill(cause)
	c.out.mu.Unlock()
	c.conn.Close()
	c.out.waitStopped() // Close ends the write, which then knows how far it came

	c.out.mu.Lock()
	calls := c.calls.takeAbove(0)
	for _, cl := range calls {
		cl.err = c.failure(cl, cause)
	}
	c.out.mu.Unlock()
	for _, cl := range calls {
		cl.finish(Reply{}, cl.err)
	}
	close(c.done)
	if c.opts.OnClose != nil {
		c.opts.OnClose(cause)
	}
	close(c.dead)
}

// writeFailed is told that the server takes no more bytes. What it has sent
// before, answers or a GOAWAY, may still wait to be read: the reader finds the
// end of it and ends the connection.
func (c *ClientConn) writeFailed(err error) {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	c.writeErr = ioError("write", err)
	c.conn.SetReadDeadline(time.Now().Add(lastReadTime)) //nolint:errcheck // a dead connection fails the read
}

// limitRead sets the reader's deadline, unless a failed write has set the last one.
func (c *ClientConn) limitRead(t time.Time) {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	if c.writeErr == nil {
		c.conn.SetReadDeadline(t) //nolint:errcheck // a dead connection fails the read
	}
}

// failure is the error of a call that was taken from the table because of
// cause. out.mu is held.
func (c *ClientConn) failure(cl *call, cause error) error {
	e := &CallError{Executed: frame.ExecutedMaybe, Phase: PhaseWait, Err: cause}
	switch {
	case cl.start >= c.out.sent:
		e.Executed, e.Phase = frame.ExecutedNo, PhaseQueue
	case !c.greeted:
		e.Phase = PhaseHandshake
	case !cl.complete:
		e.Phase = PhaseWrite
	}
	if c.refused || cl.id > c.lastServe {
		e.Executed = frame.ExecutedNo
	}
	return e
}

// unlockAndFlush releases out.mu and flushes if nobody does.
func (c *ClientConn) unlockAndFlush() {
	flush, yield := c.out.begin(c.calls.count > 1)
	c.out.mu.Unlock()
	if flush {
		c.out.flush(yield, false)
	}
}
