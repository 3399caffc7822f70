// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package divide

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/discovery"
)

// Dialect returns the format for the client's side. It calls Divide, with
// requests in JSON, and nothing else: any other method or codec is
// CodeUnimplemented, not executed. Metadata are not sent, for the format has
// none.
func Dialect() rollcall.Dialect {
	return rollcall.Dialect{
		Protocol: ProtocolName,
		Dial: func(_ context.Context, _ discovery.Instance, conn net.Conn) (rollcall.Caller, error) {
			return &caller{conn: conn, in: inbox{r: conn}}, nil
		},
	}
}

// A caller makes calls on one connection, one at a time.
type caller struct {
	conn net.Conn
	in   inbox
}

// Close implements [rollcall.Caller].
func (c *caller) Close() error { return c.conn.Close() }

// Call implements [rollcall.Caller].
func (c *caller) Call(ctx context.Context, request rollcall.Request) (rollcall.Reply, error) {
	b, err := encodeCall(&request)
	if err != nil {
		return rollcall.Reply{}, err
	}
	if ctx.Err() != nil {
		return rollcall.Reply{}, callError(ctx, rollcall.ExecutedNo, nil)
	}
	release := c.watch(ctx)
	defer release()
	if n, err := c.conn.Write(b); err != nil {
		executed := rollcall.ExecutedMaybe
		if n == 0 {
			executed = rollcall.ExecutedNo
		}
		return rollcall.Reply{}, callError(ctx, executed, fmt.Errorf("write the request: %w", err))
	}
	reply, err := next(&c.in, ParseReply)
	if err == nil && len(c.in.buf) > 0 {
		err = formatError("reply", fmt.Sprintf("with %d more bytes behind it", len(c.in.buf)), "there is one for each request")
	}
	if err != nil {
		return rollcall.Reply{}, callError(ctx, rollcall.ExecutedMaybe, fmt.Errorf("read the reply: %w", err))
	}
	return decodeAnswer(reply)
}

// watch makes the connection fail when ctx ends. release undoes that: an end of
// ctx after the answer must not reach into the next call.
func (c *caller) watch(ctx context.Context) (release func()) {
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		c.conn.SetDeadline(time.Unix(1, 0)) //nolint:errcheck // a dead connection fails by itself
	})
	return func() {
		if !stop() {
			<-ended
			c.conn.SetDeadline(time.Time{}) //nolint:errcheck // likewise
		}
	}
}

// encodeCall turns a call of Divide into a request of the format.
func encodeCall(request *rollcall.Request) ([]byte, error) {
	refuse := func(code rollcall.Code, reason, format string, args ...any) ([]byte, error) {
		e := rollcall.Errorf(code, reason, format, args...)
		e.Executed = rollcall.ExecutedNo
		return nil, e
	}
	if request.Method != Divide.Name {
		return refuse(rollcall.CodeUnimplemented, rollcall.ReasonUnknownMethod,
			"method %q: the divide format knows only %q", request.Method, Divide.Name)
	}
	if request.Codec != rollcall.JSON.ID() {
		return refuse(rollcall.CodeUnimplemented, rollcall.ReasonUnknownCodec,
			"%s: codec %d is not accepted for the divide format, send %d (%s)", request.Method, request.Codec, rollcall.JSON.ID(), rollcall.JSON.Name())
	}
	var f Fraction
	if err := rollcall.JSON.Decode(request.Body, &f); err != nil {
		return refuse(rollcall.CodeInvalidArgument, rollcall.ReasonBadRequest,
			"%s: the request of %d bytes does not decode as JSON: %w", request.Method, len(request.Body), err)
	}
	return AppendRequest(nil, f), nil
}

// decodeAnswer turns a reply of the format into what the method's caller reads.
func decodeAnswer(r Reply) (rollcall.Reply, error) {
	if r.Kind == KindInvalidOperation {
		return rollcall.Reply{}, &rollcall.Error{
			Code: rollcall.CodeInvalidArgument, Reason: ReasonInvalidOperation,
			Message: r.Message, Executed: rollcall.ExecutedYes,
		}
	}
	body, err := rollcall.JSON.Append(nil, &Quotient{Value: r.Value})
	if err != nil {
		e := rollcall.Errorf(rollcall.CodeInternal, rollcall.ReasonBadReply, "encode the reply: %w", err)
		e.Executed = rollcall.ExecutedYes
		return rollcall.Reply{}, e
	}
	return rollcall.Reply{Codec: rollcall.JSON.ID(), Body: body}, nil
}

// callError is the error of a call that got no answer: ctx ended, the server
// does not speak the format, or the connection died.
func callError(ctx context.Context, executed rollcall.Executed, err error) error {
	var (
		e         *rollcall.Error
		malformed *FormatError
	)
	switch {
	case errors.As(err, &malformed):
		e = rollcall.Errorf(rollcall.CodeInternal, rollcall.ReasonBadReply, "%w", err)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		e = rollcall.Errorf(rollcall.CodeDeadlineExceeded, "", "%w", context.Cause(ctx))
	case ctx.Err() != nil:
		e = rollcall.Errorf(rollcall.CodeCanceled, "", "%w", context.Cause(ctx))
	default:
		e = rollcall.Errorf(rollcall.CodeUnavailable, rollcall.ReasonConnection, "%w", err)
	}
	e.Executed = executed
	return e
}
