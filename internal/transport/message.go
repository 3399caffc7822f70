// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"context"
	"time"

	"github.com/rollcall-rpc/rollcall/frame"
)

// A Request is a call as the client makes it. Its deadline is the context's.
// Nothing of it is used after [ClientConn.Call] has returned.
type Request struct {
	Method   string // at most 255 bytes
	Codec    uint8
	Metadata frame.Metadata
	Body     []byte

	// Buffer is where the reply's body is written, from its beginning on, if it fits
	// and nothing but the reply of one call is written there at a time. Nil: the reply
	// has memory of its own.
	Buffer []byte
}

// A Reply is a handler's answer, on both sides.
//
// At the client, Body and Metadata belong to the caller. At the server they
// belong to this package from the handler's return on; Body may alias the
// request's.
type Reply struct {
	Codec    uint8
	Metadata frame.Metadata
	Body     []byte

	buf []byte // the pooled buffer that Body lies in, or nil
}

// PooledReply is a reply of a handler whose body lies in memory of [GetBuffer],
// which is given back when the reply is on its way.
func PooledReply(codec uint8, metadata frame.Metadata, body []byte) Reply {
	return Reply{Codec: codec, Metadata: metadata, Body: body, buf: body}
}

// setBody gives the reply a copy of b, in buffer if it fits there.
func (r *Reply) setBody(b, buffer []byte) {
	switch {
	case buffer != nil && len(b) <= cap(buffer):
		r.Body = buffer[:copy(buffer[:cap(buffer)], b)]
	case len(b) > 0:
		r.buf = getBuffer(len(b))
		r.Body = r.buf[:copy(r.buf, b)]
	}
}

// Release gives the buffer behind Body back for reuse; Body must not be used
// afterwards. It is an economy, not a duty: an unreleased Body is collected
// like any other slice. Calling it twice on the same Reply has no effect; a
// copy of a released Reply must not be released again.
func (r *Reply) Release() {
	if r.buf == nil {
		return
	}
	putBuffer(r.buf)
	r.buf, r.Body = nil, nil
}

// A ServerRequest is a call as a handler sees it. It is valid, with all that it
// refers to but the strings in Metadata, until the handler returns; released
// buffers are overwritten in race builds.
type ServerRequest struct {
	Method   []byte // look it up with m[string(Method)], which does not allocate
	Codec    uint8
	Metadata frame.Metadata
	Body     []byte
	Deadline time.Time     // the context's; zero: none
	Budget   time.Duration // what was left until then when the request came
	StreamID uint64
	Owner    any    // what ServerOptions.NewCall has returned for it
	Ticket   Ticket // what ServerOptions.Admit has given for it
}

// A Ticket is what a request was let in with. Ended is called once when the request
// has its answer, whoever has given it, with a lock held: it must not block. late
// says that nobody waits for that any more: the deadline has passed, or the client
// has given up after half of the time that it had.
//
// Unwanted says that an answer which was not late has come too late all the same: a
// CANCEL has come behind it. budget is the request's.
type Ticket interface {
	Ended(req *ServerRequest, now time.Time, late bool)
	Unwanted(budget time.Duration)
}

// A Refusal is a request that the server's connection answers itself, with an
// error that says not executed: no handler sees it.
type Refusal struct {
	Method    []byte         // valid until OnRefused returns
	Metadata  frame.Metadata // nil where they are over the limit
	BodyBytes int            // how much of the body had come
	Err       *RemoteError   // the answer; it must not be changed
}

// A Handler answers one request. It may block, and it runs on a goroutine that
// no other handler uses meanwhile.
//
// The context carries the deadline and is cancelled when the client cancels,
// when the connection dies, on [ServerConn.Close], and when the handler returns.
//
// A [*RemoteError] is sent as it is, with executed Yes if it does not say. Any
// other error is sent as CodeUnknown with its text, executed Yes; the context's
// own errors as CodeCanceled and CodeDeadlineExceeded. A panic is sent as
// CodeInternal with reason PANIC.
type Handler func(ctx context.Context, req *ServerRequest) (Reply, error)
