// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"context"
	"time"

	"github.com/rollcall-rpc/rollcall/balancer"
	"github.com/rollcall-rpc/rollcall/internal/transport"
)

// CallOptions are what one call can have of its own. The zero value is the
// default; a call with a negative number fails with CodeInvalidArgument.
type CallOptions struct {
	Codec      uint8         // how the request is written: the ID of a Codec; 0: raw
	Idempotent bool          // running the handler twice does no harm
	Timeout    time.Duration // bounds the call beside ctx; 0: no further bound
	Metadata   Metadata      // sent with the request

	// WaitForReady waits for an instance where there is none, or none that can be
	// reached, until ctx ends. One that has answered is there, whatever it said.
	WaitForReady bool

	// MaxAttempts bounds how often the call is tried, hedges included. 0: as often
	// as there are instances and the client's retry budget allows; 1: once.
	MaxAttempts int

	// AttemptTimeout bounds each attempt; the next instance is then tried where
	// the attempt was surely not executed, or the method is idempotent. 0: only
	// the call itself is bounded.
	AttemptTimeout time.Duration

	// Hedge asks a second instance when the first has not answered within the
	// time in which 99 of 100 recent calls of the method were answered; the first
	// answer counts, and the other attempt is cancelled. It is for idempotent
	// methods, and ignored for others. It costs one call in a hundred once more,
	// and a goroutine for each call.
	Hedge bool

	// Hash is the same for calls that should reach the same instance, for
	// policies that look at it, such as balancer.RingHash. 0: there is none.
	Hash uint64

	// Instance is the only instance that may be called, as "host:port" or as
	// the name of its entry. Empty: any.
	Instance string

	// ReplyBuffer is memory for the reply of [Client.Invoke] and of a []byte
	// method, from its beginning on; a reply that does not fit gets new memory.
	// Callers that make many calls save the garbage collector work with it. Nil:
	// every reply gets memory of its own.
	ReplyBuffer []byte

	// Report receives what the call was based on, what it tried, who answered and
	// the reply's metadata, also where it succeeded, if it is not nil.
	Report *Report
}

// Invoke calls a method with bytes. The reply belongs to the caller. Every error
// is, or wraps, an [*Error].
func (c *Client) Invoke(ctx context.Context, method string, request []byte, opts CallOptions) ([]byte, error) {
	if c.defaults.any {
		c.defaults.ofMethod(&opts, method)
		opts.inherit(&c.defaults.all)
	}
	if c.observed() {
		return c.invokeObserved(ctx, method, request, &opts)
	}
	reply, _, err := c.call(ctx, nil, method, request, &opts)
	return takeBody(&reply, opts.ReplyBuffer), err
}

// invokeObserved is Invoke with somebody who sees the call.
func (c *Client) invokeObserved(ctx context.Context, method string, request []byte, opts *CallOptions) ([]byte, error) {
	o := &observedBytes{in: request}
	o.reply = &o.out
	reply, err := observe(ctx, c, &o.observed, method, nil, &o.in, opts)
	if err != nil {
		return nil, err
	}
	return *reply, nil
}

// takeBody makes the reply's body the caller's: in buffer where the caller gave one
// and it is not there yet, else as it is.
func takeBody(reply *transport.Reply, buffer []byte) []byte {
	if buffer == nil || (cap(buffer) > 0 && len(reply.Body) > 0 && &buffer[:1][0] == &reply.Body[0]) {
		return reply.Body
	}
	body := append(buffer[:0], reply.Body...)
	reply.Release()
	return body
}

// badCall returns the error of a call that nobody could serve.
func badCall(err error) *Error {
	return &Error{Code: CodeInvalidArgument, Reason: ReasonBadRequest, Message: err.Error(), Executed: ExecutedNo, cause: err}
}

// call makes the attempts of a call until one answers, or none is left, and returns
// who has replied. seen is what others see of the call; nil: nobody looks.
func (c *Client) call(ctx context.Context, seen *seenCall, method string, body []byte, opts *CallOptions) (transport.Reply, *balancer.Endpoint, error) {
	if seen != nil {
		seen.Size = len(body)
	}
	if err := checkMethodName(method); err != nil {
		return transport.Reply{}, nil, badCall(err)
	}
	if err := opts.check("CallOptions"); err != nil {
		return transport.Reply{}, nil, badCall(err)
	}
	if opts.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, opts.Timeout)
		defer cancel()
	}
	metadata, err := c.authorized(ctx, opts.Metadata)
	if err != nil {
		return transport.Reply{}, nil, err
	}
	s := &c.service
	if ctx.Err() != nil { // before anything is spent on it: there may be many of them
		return transport.Reply{}, nil, s.tooLate(ctx, seen, method, opts)
	}
	s.budget.called()
	req := transport.Request{Method: method, Codec: opts.Codec, Metadata: metadata, Body: body, Buffer: opts.ReplyBuffer}
	snap, now := s.members.Snapshot(), instant()
	// Nearly all calls are answered at the first attempt, and need no account of it.
	var first attempt
	if e := s.first(snap, now, method, opts); e != nil {
		first = s.attempt(ctx, seen, e, now, &req, opts.AttemptTimeout, false, func() bool { return s.connected(e, nil, method) != nil })
		if first.err == nil {
			s.succeeded(seen, opts.Report, method, snap, nil, &first)
			return first.reply, first.endpoint, nil
		}
	}
	return s.further(ctx, seen, opts, &req, snap, &first)
}

// tooLate returns the error of a call that had ended before it began.
func (s *service) tooLate(ctx context.Context, seen *seenCall, method string, opts *CallOptions) *Error {
	a := attempts{service: s, seen: seen, opts: *opts, req: transport.Request{Method: method}}
	return a.finish(s.members.Snapshot(), contextError(ctx, ExecutedNo))
}

// further makes the attempts of a call that is not answered by the first. It stands
// apart for the stack: a goroutine that makes a single call need not grow it for what
// hardly any call needs.
//
//go:noinline
func (s *service) further(ctx context.Context, seen *seenCall, opts *CallOptions, req *transport.Request, snap *balancer.Snapshot, first *attempt) (transport.Reply, *balancer.Endpoint, error) {
	a := attempts{service: s, seen: seen, opts: *opts, req: *req}
	return a.run(ctx, snap, first)
}
