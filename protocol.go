// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"context"
	"net"
	"time"

	"github.com/rollcall-rpc/rollcall/discovery"
)

// ProtocolName is the name under which instances list Rollcall's own protocol.
const ProtocolName = "rollcall/1"

// A Verdict is what a [Protocol] makes of the first bytes of a connection.
type Verdict uint8

// The verdicts.
const (
	MatchNo    Verdict = iota + 1 // another protocol
	MatchMaybe                    // more bytes are needed
	MatchYes                      // this one
)

// A Protocol is a foreign message format that a server speaks on its port
// beside Rollcall's own. The client of such a format speaks first.
type Protocol struct {
	// Name is listed among the instance's protocols: "divide".
	Name string

	// Match looks at the first bytes of a connection, 1 to 64 of them, and says
	// whether they are this protocol's. It must answer MatchMaybe only where
	// more bytes can decide. Rollcall's own first byte, 0xB2, is never offered.
	Match func(first []byte) Verdict

	// Serve serves one connection and returns when it is done with it; the
	// caller closes conn. Reading conn gives all bytes from the first on. Each
	// request goes to [Server.Invoke] of s, the server, with [PeerOf] of conn.
	// When ctx ends the server stops taking work: finish the request in hand,
	// begin no other, return. The connection is closed at the latest when the
	// server's DrainTimeout has passed, and where the server has no room for others
	// when nothing was read, written or invoked on it for a second or more. A returned
	// error is logged; a panic is too, and closes the connection.
	Serve func(ctx context.Context, conn net.Conn, s *Server) error
}

// DefaultDialectIdleTimeout is how long a client keeps a connection of a [Dialect]
// that no call needs.
const DefaultDialectIdleTimeout = 30 * time.Second

// A Dialect is the client's side of a foreign message format: how to call
// instances that speak it.
//
// # Connections
//
// The client opens a connection where a call finds none with room, and keeps it for
// those to come. The one used last is used first, and one that no call has needed for
// IdleTimeout is closed: so there are as many as the largest number of calls at once
// of late needs, and of those without a call at most 1024 to an instance.
//
// A neighbour may close what is idle at any time. So a connection is asked before it
// is used again, by a look at the socket, which costs no round trip: one that has
// ended, or on which something lies unread that nobody has asked for, is closed and
// another one taken. A connection of ClientOptions.Dial can be asked where it is a
// socket of package net, or has NetConn() net.Conn and leads to one, on Unix.
//
// Where a connection that was used before, or has rested, ends under a call all the
// same before the first byte of an answer, that is no evidence against the instance:
// it is not set aside, nor ejected for it. If surely nothing of the request was
// written, the call goes on with another one, in the end with a new one. Else an
// idempotent call is made again, which is a retry like any other, and any other call
// fails, as perhaps executed.
type Dialect struct {
	// Protocol is the name in the instances' lists of protocols: "divide".
	Protocol string

	// Dial makes a Caller of a new connection; it may speak on it first. The
	// Caller owns conn from then on, and should read and write conn itself, by which
	// the client sees what was sent and that it has ended; what is below is returned
	// by its method NetConn() net.Conn. ctx ends after the client's ConnectTimeout,
	// and when Dial has returned; conn is closed where Dial takes longer.
	Dial func(ctx context.Context, instance discovery.Instance, conn net.Conn) (Caller, error)

	// IdleTimeout is how long a connection is kept without a call. Give less than
	// the servers do. 0: DefaultDialectIdleTimeout, 30 s; negative: without end.
	IdleTimeout time.Duration

	// MaxConnections bounds the connections to one instance. A call that finds all
	// of them full waits, the first come first served; where somebody has been
	// waiting for more than 100 ms without a break the newest come first, who have
	// the most time left. After half of the time that its context leaves a call is
	// refused, and so is the oldest where 10,000 wait: CodeUnavailable, ReasonBusy,
	// not executed. 0: no bound.
	MaxConnections int

	// CallsPerConnection is how many calls one connection carries at once: more than
	// one where the format tells the answers apart. 0: one.
	CallsPerConnection int
}

func (d Dialect) withDefaults() Dialect {
	if d.IdleTimeout == 0 {
		d.IdleTimeout = DefaultDialectIdleTimeout
	}
	d.CallsPerConnection = max(d.CallsPerConnection, 1)
	return d
}

// A Caller makes calls on one connection: one at a time, or as many as its Dialect's
// CallsPerConnection says, from as many goroutines.
type Caller interface {
	// Call makes one call and returns when it has ended or ctx has. The error
	// should be an *Error whose Executed is right: the client retries on
	// another instance what is ExecutedNo, and for idempotent methods what is
	// ExecutedMaybe. One that does not say counts as ExecutedMaybe, and any
	// other error as CodeUnavailable and ExecutedMaybe; as ExecutedNo where the
	// client has seen that nothing could be written. The instance is set aside
	// where the error is CodeUnavailable and not ExecutedYes, but for a connection
	// that has ended of age: see Dialect.
	//
	// After an error that is not ExecutedYes a connection of one call at a time is
	// closed and not used again. One that carries several gets no further calls, and
	// is closed once those on it have ended, after an error for which the instance
	// is set aside, when it has ended, and when the deadline of a call has passed
	// while nothing at all was read; a ctx that ends must not harm the other calls.
	Call(ctx context.Context, request Request) (Reply, error)

	// Close closes the connection. It may be called twice, and while a call is
	// under way, which then fails.
	Close() error
}

// A Request is a call as bytes: what a [Caller] is given, and what [Server.Invoke]
// is.
type Request struct {
	Method   string
	Codec    uint8 // how Body is written: the ID of a Codec
	Metadata Metadata
	Body     []byte
}

// A Reply is the answer of a call as bytes.
type Reply struct {
	Codec    uint8
	Metadata Metadata
	Body     []byte
}
