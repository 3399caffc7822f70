// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"context"
	"net"

	"github.com/rollcall-rpc/rollcall/frame"
)

// A ServerConn is the server's end of a connection. All methods may be called
// from any goroutine; Serve once.
type ServerConn struct {
	conn net.Conn
	opts ServerOptions
}

// NewServerConn takes over conn. It starts nothing: Serve does.
func NewServerConn(conn net.Conn, opts ServerOptions) *ServerConn {
	return &ServerConn{conn: conn, opts: opts.withDefaults()}
}

// Serve reads requests in the caller's goroutine. It returns when the
// connection has ended and every handler has returned: nil if the client ended
// it, [ErrClosed] after Close, the context's cause if ctx ended, else the cause
// of death. Values of ctx are visible to handlers.
func (s *ServerConn) Serve(ctx context.Context) error { return ctx.Err() }

// GoAway announces that the client should go elsewhere; requests are still
// served. It does not wait for the peer.
func (s *ServerConn) GoAway(reason frame.GoAwayReason, text string) {}

// Refuse makes the connection answer new requests with Unavailable, not
// executed, reason [ReasonDraining].
func (s *ServerConn) Refuse() {}

// InFlight returns the number of requests whose handler has not returned.
func (s *ServerConn) InFlight() int { return 0 }

// Drained is closed, after [ServerConn.Refuse], when no request is in flight and
// all replies have been written, or when the connection has died.
func (s *ServerConn) Drained() <-chan struct{} { return nil }

// Close sends a final GOAWAY with the last stream id that was handed over, if
// that is possible without delay, cancels the handlers' contexts and closes the
// connection. It does not wait for the handlers: Serve does.
func (s *ServerConn) Close() error { return s.conn.Close() }
