// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"context"
	"fmt"
	"time"

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

// Call calls the method on an instance of the client's choice. Every error is
// an [*Error].
func (m Method[Req, Res]) Call(ctx context.Context, c *Client, request *Req) (*Res, error) {
	return m.CallWith(ctx, c, request, CallOptions{})
}

// CallWith is Call with options. What the method's descriptor says is added to
// them: Codec always, Idempotent and Hedge where they are true, the timeouts where
// none is given.
func (m Method[Req, Res]) CallWith(ctx context.Context, c *Client, request *Req, opts CallOptions) (*Res, error) {
	if err := checkTimeouts("Method", m.Timeout, m.AttemptTimeout); err != nil {
		return nil, badCall(err)
	}
	codec := m.Codec
	if codec == nil {
		codec = defaultCodec[Req]()
	}
	opts.Codec = codec.ID()
	opts.Idempotent = opts.Idempotent || m.Idempotent
	opts.Hedge = opts.Hedge || m.Hedge
	if opts.AttemptTimeout == 0 {
		opts.AttemptTimeout = m.AttemptTimeout
	}
	if opts.Timeout == 0 {
		opts.Timeout = m.Timeout
	}
	body, err := m.encode(codec, request)
	if err != nil {
		e := Errorf(CodeInvalidArgument, ReasonBadRequest, "%s: request: %w", m.Name, err)
		e.Executed = ExecutedNo
		return nil, e
	}
	reply, err := c.call(ctx, m.Name, body, opts)
	if err != nil {
		return nil, err
	}
	if reply.Codec != opts.Codec {
		return nil, m.badReply(&reply, fmt.Errorf("it is in codec %d, the request was in %d (%s)", reply.Codec, opts.Codec, codec.Name()))
	}
	res := new(Res)
	if raw, ok := any(res).(*[]byte); ok && codec == Raw {
		*raw = takeBody(&reply, opts.ReplyBuffer)
		return res, nil
	}
	defer reply.Release()
	if err := codec.Decode(reply.Body, res); err != nil {
		return nil, m.badReply(&reply, fmt.Errorf("it does not decode as %s: %w", codec.Name(), err))
	}
	return res, nil
}

// badReply returns the error of a call whose answer cannot be used.
func (m Method[Req, Res]) badReply(reply *transport.Reply, err error) error {
	e := Errorf(CodeInternal, ReasonBadReply, "%s: reply of %d bytes: %w", m.Name, len(reply.Body), err)
	e.Executed = ExecutedYes
	return e
}

func (m Method[Req, Res]) encode(codec Codec, request *Req) ([]byte, error) {
	if raw, ok := any(request).(*[]byte); ok && codec == Raw {
		return *raw, nil
	}
	return codec.Append(nil, request)
}
