// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/rollcall-rpc/rollcall/internal/transport"
)

// A callerConn is a connection of a dialect in a callerPool.
type callerConn struct {
	caller Caller
	conn   *watchedConn

	// The pool's mutex guards what follows, but for reads of reused.
	calls  int         // that are on it
	gone   bool        // it takes no further ones
	reused atomic.Bool // it has rested, or a call on it has ended
	since  time.Time   // when it came to rest
}

// alive asks a connection that no call is on whether it can be used again. carries
// is how many calls it carries at once.
func (c *callerConn) alive(carries int) bool {
	if c.conn.ended.Load() {
		return false
	}
	switch c.conn.socket.Peek() {
	case transport.PendingEnd:
		return false
	case transport.PendingBytes:
		// Whoever carries one call has asked for nothing: it is a farewell, or the
		// end of TLS. On a connection of several somebody reads all the time, and
		// where nothing was read yet it may be a word of TLS itself, after its
		// handshake.
		return carries > 1 || (c.conn.tls && c.conn.received.Load() == 0)
	case transport.PendingUnknown, transport.PendingNone:
	}
	return true
}

// A watchedConn is what a dialect gets for its connection: it sees what is read,
// written, and that it ends.
type watchedConn struct {
	net.Conn
	tls    bool
	socket *transport.Probe

	received atomic.Int64 // bytes
	sent     atomic.Int64 // writes of which something may have gone out
	refused  atomic.Int64 // writes of which nothing has
	ended    atomic.Bool  // a read or a write has failed, but for its deadline
}

func watch(conn net.Conn) *watchedConn {
	_, secure := conn.(*secureConn)
	return &watchedConn{Conn: conn, tls: secure, socket: transport.NewProbe(conn)}
}

// NetConn returns the connection below, as [tls.Conn.NetConn] does.
func (c *watchedConn) NetConn() net.Conn { return c.Conn }

// Read implements [net.Conn].
func (c *watchedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.received.Add(int64(n))
	c.note(err)
	return n, err
}

// Write implements [net.Conn].
func (c *watchedConn) Write(b []byte) (int, error) {
	c.sent.Add(1) // before it may be true
	n, err := c.Conn.Write(b)
	c.note(err)
	if n == 0 {
		c.refused.Add(1)
		c.sent.Add(-1)
	}
	return n, err
}

func (c *watchedConn) note(err error) {
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		c.ended.Store(true)
	}
}

// A tally is what a watchedConn has seen until a moment.
type tally struct{ received, sent, refused int64 }

func (c *watchedConn) tally() tally {
	return tally{received: c.received.Load(), sent: c.sent.Load(), refused: c.refused.Load()}
}

// silentSince reports whether nothing was read since then.
func (c *watchedConn) silentSince(t tally) bool { return c.received.Load() == t.received }

// unsentSince reports whether something was to be written since then, and surely
// nothing was.
func (c *watchedConn) unsentSince(t tally) bool {
	return c.ended.Load() && c.refused.Load() > t.refused && c.sent.Load() == t.sent
}
