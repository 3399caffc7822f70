// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"context"
	"fmt"
	"time"

	"github.com/rollcall-rpc/rollcall/balancer"
	"github.com/rollcall-rpc/rollcall/internal/transport"
)

// A Method is what both sides of a call agree on. Declare it once, as a package
// variable; it is never changed afterwards.
type Method[Req, Res any] struct {
	// Name is how the method is called on the wire: UTF-8, 1 to 255 bytes, by
	// convention "Service/Method".
	Name string

	// Idempotent says that running the handler twice does no harm. Such a call
	// goes to another instance also where it may have been executed, and where
	// the handler itself answered with CodeUnavailable.
	Idempotent bool

	// Codec is how messages are written. Nil: Raw for []byte, Proto for a
	// proto.Message, else JSON.
	Codec Codec

	// Timeout bounds a call whose context has no earlier deadline. 0: none.
	Timeout time.Duration

	// AttemptTimeout and Hedge are those of [CallOptions].
	AttemptTimeout time.Duration
	Hedge          bool
}

// Call calls the method on an instance of the client's choice. Every error is, or
// wraps, an [*Error].
func (m Method[Req, Res]) Call(ctx context.Context, c *Client, request *Req) (*Res, error) {
	return m.CallWith(ctx, c, request, CallOptions{})
}

// CallWith is Call with options. What the client says of the method, the method's
// descriptor and the client's defaults are added to them, in this order: what is
// true anywhere is true, and what is a number counts where it is said first.
func (m Method[Req, Res]) CallWith(ctx context.Context, c *Client, request *Req, opts CallOptions) (*Res, error) {
	if err := checkTimeouts("Method", m.Timeout, m.AttemptTimeout); err != nil {
		return nil, badCall(err)
	}
	codec := m.Codec
	if codec == nil {
		codec = defaultCodec[Req]()
	}
	opts.Codec = codec.ID()
	if c.defaults.any {
		c.defaults.ofMethod(&opts, m.Name)
	}
	opts.inherit(&CallOptions{Idempotent: m.Idempotent, Hedge: m.Hedge, Timeout: m.Timeout, AttemptTimeout: m.AttemptTimeout})
	if c.defaults.any {
		opts.inherit(&c.defaults.all)
	}
	if c.observed() {
		return observe(ctx, c, new(observed[Req, Res]), m.Name, codec, request, &opts)
	}
	reply := new(Res)
	if err := exchange(ctx, c, nil, m.Name, codec, request, reply, &opts); err != nil {
		return nil, err
	}
	return reply, nil
}

// exchange encodes the request, has the call made, and decodes its answer into
// reply. call is what others see of it; nil: nobody looks. A nil codec stands for
// bytes that go as they are, whatever they are said to be in.
func exchange[Req, Res any](ctx context.Context, c *Client, call *seenCall, method string, codec Codec, request *Req, reply *Res, opts *CallOptions) error {
	if codec != nil {
		if err := checkTypes[Req, Res](method, codec); err != nil {
			return badCall(err)
		}
	}
	body, pooled, err := encodeRequest(codec, request)
	if err != nil {
		e := Errorf(CodeInvalidArgument, ReasonBadRequest, "%s: request: %w", method, err)
		e.Executed = ExecutedNo
		return e
	}
	answer, e, err := c.call(ctx, call, method, body, opts)
	if pooled && len(c.opts.Dialects) == 0 { // a Caller might have kept it
		transport.PutBuffer(body)
	}
	if err != nil {
		return err
	}
	if codec != nil && answer.Codec != opts.Codec {
		return badReply(c, e, method, &answer, opts, fmt.Errorf("it is in codec %d, the request was in %d (%s)", answer.Codec, opts.Codec, codec.Name()))
	}
	if raw, ok := any(reply).(*[]byte); ok && asItIs(codec) {
		*raw = takeBody(&answer, opts.ReplyBuffer)
		return nil
	}
	defer answer.Release()
	if err := codec.Decode(answer.Body, reply); err != nil {
		return badReply(c, e, method, &answer, opts, fmt.Errorf("it does not decode as %s: %w", codec.Name(), err))
	}
	return nil
}

// badReply returns the error of a call whose answer, which e has given, cannot be
// used.
func badReply(c *Client, e *balancer.Endpoint, method string, reply *transport.Reply, opts *CallOptions, err error) error {
	bad := Errorf(CodeInternal, ReasonBadReply, "%s: reply of %d bytes: %w", method, len(reply.Body), err)
	bad.Executed = ExecutedYes
	bad.Report = &Report{Target: c.service.target, Method: method, Answered: e.Instance}
	if opts.Report != nil {
		*bad.Report = *opts.Report
	}
	return bad
}

func encodeRequest[Req any](codec Codec, request *Req) (b []byte, pooled bool, err error) {
	if raw, ok := any(request).(*[]byte); ok && asItIs(codec) {
		return *raw, false, nil
	}
	return encode(codec, request)
}

// asItIs reports whether bytes go in a codec as they are.
func asItIs(codec Codec) bool { return codec == nil || codec == Raw }
