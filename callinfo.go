// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"context"
	"crypto/tls"
	"maps"
	"net"

	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/frame"
)

// Metadata are short texts that travel with a call or a reply. Keys are 1 to 255
// bytes, by convention in lower case. All of a message's metadata together are
// limited, to 16 KiB by default. A nil Metadata costs nothing.
type Metadata = frame.Metadata

// A Peer is the other end of a connection.
type Peer struct {
	Addr     net.Addr
	TLS      *tls.ConnectionState // nil: clear text
	Identity string               // who it is, as an Admission has found out; empty: not known

	use *usage // of the connection, where calls come through Invoke; nil: nobody asks
}

// A CallInfo is what can be known of a call besides its messages. Handlers,
// admissions, interceptors and events see the same one. It is the call's own: it
// may be kept, but only those who run the call may change it.
type CallInfo struct {
	Method string

	// Metadata was sent by the caller; nil: none. It may be the caller's own map:
	// change it with [CallInfo.SetMetadata].
	Metadata Metadata

	// Size of the encoded request, in bytes. On a client it is 0 until the
	// request is encoded.
	Size int

	// Peer is the client that called. On a client it is zero.
	Peer Peer

	// Instance is the one that answered, on a client, once there is an answer,
	// be it an error; nil: nobody has. On a server it is nil.
	Instance *discovery.Instance

	// ReplyMetadata is sent with the reply: on a server it may be set until the
	// handler returns. On a client it is what has come with the reply.
	ReplyMetadata Metadata

	// Handled tells, on a server, whether there is a method of that name. Where it
	// is false the name is a stranger's choice, and no label of a metric.
	Handled bool

	asked     bool     // on a client: next has made the call before
	executed  Executed // on a client: what is known so far, of calls of next
	replySize int32    // bytes of the encoded reply, on a client: a server's CallInfo is to stay small
	owner     any      // on a client the invoker that a chain ends in, on a server the *servedCall
}

// An invoker makes a client's call.
type invoker interface {
	invoke(ctx context.Context, request any) (any, error)
}

// SetMetadata sets a key of what is sent with the request, on a client before the
// call's first attempt. The caller's own map is left as it is.
func (c *CallInfo) SetMetadata(key, value string) { c.Metadata = with(c.Metadata, key, value) }

// SetReplyMetadata sets a key of what is sent with the reply, on a server, and
// keeps the others.
func (c *CallInfo) SetReplyMetadata(key, value string) {
	c.ReplyMetadata = with(c.ReplyMetadata, key, value)
}

// with returns a copy of m in which key has that value: what was handed in or on
// is never written into.
func with(m Metadata, key, value string) Metadata {
	if m == nil {
		return Metadata{key: value}
	}
	m = maps.Clone(m)
	m[key] = value
	return m
}

// PeerOf returns the other end of a connection that a [Protocol] serves, for
// [Server.Invoke].
func PeerOf(conn net.Conn) Peer {
	p := Peer{Addr: conn.RemoteAddr()}
	if replay, ok := conn.(*replayConn); ok {
		p.use = &replay.guest.use
		conn = replay.Conn
	}
	if secure, ok := conn.(interface{ ConnectionState() tls.ConnectionState }); ok {
		state := secure.ConnectionState()
		p.TLS = &state
	}
	return p
}

type callInfoKey struct{}

// InfoFromContext returns what is known of the call that a handler's context
// belongs to, and false for any other context.
func InfoFromContext(ctx context.Context) (*CallInfo, bool) {
	info, ok := ctx.Value(callInfoKey{}).(*CallInfo)
	return info, ok
}
