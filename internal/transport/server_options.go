// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"time"

	"github.com/rollcall-rpc/rollcall/frame"
	"github.com/rollcall-rpc/rollcall/internal/loglimit"
)

// ServerOptions configure a [ServerConn]. The zero value is the default, but
// Handler is required.
type ServerOptions struct {
	// InstanceID is this server's id, at most 255 bytes. A client that means
	// another one is refused.
	InstanceID string
	// First are bytes that were read from the connection already.
	First []byte
	// Handler answers the requests. nil: every request is Unimplemented.
	Handler Handler
	// Unfinished bounds, over all connections that share it, what is held of requests
	// whose last piece has not come. A piece beyond it is refused with Unavailable
	// BUSY, and OnUnfinished called, with a lock held: it must not block. nil: no
	// bound.
	Unfinished   *Unfinished
	OnUnfinished func()
	// Admit is asked, before a worker is, whether a request is let in. A refusal, which
	// is not executed, is its answer. nil: all are. It is called with a lock held and
	// must not block; req is complete, and valid until it returns.
	Admit func(req *ServerRequest) (Ticket, *RemoteError)
	// NewCall makes what the owner keeps of a call: the handler's context, zero, as
	// a rule a field of what is returned beside it and becomes ServerRequest.Owner.
	// So a call costs one allocation. nil: calls have no owner. It is called for
	// each request that is complete, and must not block.
	NewCall func() (*CallContext, any)
	// Workers run the handlers. nil: the connection has its own, which end with
	// Serve; a server with many connections shares one.
	Workers *Workers
	// HandshakeTimeout limits the wait for the client's preface. 0: 10 s;
	// negative: no limit.
	HandshakeTimeout time.Duration
	// MaxMessageBytes limits the body of a request. 0: 4 MiB; at most 2 GiB - 1.
	MaxMessageBytes int
	// MaxMetadataBytes limits a request's encoded metadata. 0: 16 KiB; at most
	// 60 KiB.
	MaxMetadataBytes int
	// MaxFrameBytes limits the payload of a received frame. 0: 64 KiB, which is
	// also the least; at most 16 MiB.
	MaxFrameBytes int
	// MaxStreams limits the requests in flight. 0: 1000; at most 1<<20.
	MaxStreams int
	// QueueBytes bounds what waits to be written; handlers' replies wait beyond
	// it. 0: 1 MiB.
	QueueBytes int
	// OnRefused is called for each request that the connection answers itself,
	// with an error, and no handler sees: over a limit, one too many, draining,
	// its deadline passed. The client may have the answer by then, or have given
	// up. It is called from the reader's goroutine or, where the deadline passed,
	// from the one that the handler would have had, so from several at once; it
	// must not block and must not close the connection. What a CANCEL or the end
	// of the connection takes back is not refused.
	OnRefused func(Refusal)
	// OnPanic is called with what a handler panicked with (nil: it called
	// runtime.Goexit), on the handler's goroutine, after it was logged. It must
	// not block and must not close the connection; req is valid until it returns.
	OnPanic func(req *ServerRequest, value any, stack []byte)
	// Log receives panics, which clients can cause; the connections of a server
	// share one. A client that broke the protocol is Serve's error. nil:
	// discarded.
	Log *loglimit.Limiter
}

func (o ServerOptions) withDefaults() ServerOptions {
	o.HandshakeTimeout = defaulted(o.HandshakeTimeout, DefaultHandshakeTimeout)
	o.MaxMessageBytes = clamp(o.MaxMessageBytes, frame.DefaultMaxMessage, 1, frame.MaxMaxMessage)
	o.MaxMetadataBytes = clamp(o.MaxMetadataBytes, frame.DefaultMaxMetadata, 1, frame.MaxMaxMetadata)
	o.MaxFrameBytes = clamp(o.MaxFrameBytes, frame.DefaultMaxFrame, frame.MinMaxFrame, frame.MaxMaxFrame)
	o.MaxStreams = clamp(o.MaxStreams, frame.DefaultMaxStreams, 1, frame.MaxMaxStreams)
	o.QueueBytes = defaulted(max(o.QueueBytes, 0), DefaultQueueBytes)
	return o
}

func (o ServerOptions) settings() frame.Settings {
	return settings(o.MaxFrameBytes, o.MaxMessageBytes, o.MaxMetadataBytes, o.MaxStreams)
}
