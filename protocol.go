// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"context"
	"net"

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

// A Dialect is the client's side of a foreign message format: how to call
// instances that speak it. A connection of a Dialect carries one call at a
// time; the client keeps idle ones and opens as many as it has calls.
type Dialect struct {
	// Protocol is the name in the instances' lists of protocols: "divide".
	Protocol string

	// Dial makes a Caller of a new connection; it may speak on it first. The
	// Caller owns conn from then on. ctx ends after the client's ConnectTimeout,
	// and when Dial has returned; conn is closed where Dial takes longer.
	Dial func(ctx context.Context, instance discovery.Instance, conn net.Conn) (Caller, error)
}

// A Caller makes calls on one connection, one at a time.
type Caller interface {
	// Call makes one call and returns when it has ended or ctx has. The error
	// should be an *Error whose Executed is right: the client retries on
	// another instance what is ExecutedNo, and for idempotent methods what is
	// ExecutedMaybe. One that does not say counts as ExecutedMaybe, and any
	// other error as CodeUnavailable and ExecutedMaybe. After an error that is
	// not ExecutedYes the connection is closed and not used again; the instance
	// is set aside where the error is CodeUnavailable.
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
