// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"
)

// observed reports whether anybody sees the client's calls. Where nobody does,
// a call has no CallInfo, and costs nothing for it.
func (c *Client) observed() bool {
	e := &c.opts.Events
	return c.chain != nil || e.CallBegin != nil || e.CallEnd != nil || e.AttemptBegin != nil || e.AttemptEnd != nil || e.RetryDenied != nil
}

// observe makes a call that somebody sees: it tells of its begin and end, and has
// exchange made inside the interceptors.
func observe[Req, Res any](ctx context.Context, c *Client, method string, request *Req, opts *CallOptions, exchange func(context.Context, *CallInfo, *Req) (*Res, error)) (*Res, error) {
	begun := time.Now()
	call := &CallInfo{Method: method, Metadata: opts.Metadata}
	call.invoke = func(ctx context.Context, message any) (any, error) {
		request, ok := message.(*Req)
		if !ok {
			return nil, badMessage(CodeInvalidArgument, ReasonBadRequest, ExecutedNo, method, "request", message, request)
		}
		opts.Metadata = call.Metadata
		reply, err := exchange(ctx, call, request)
		if err != nil {
			return nil, err // and no typed nil
		}
		return reply, nil
	}
	events := &c.opts.Events
	if opts.Report == nil && events.CallEnd != nil {
		opts.Report = new(Report)
	}
	if opts.Report != nil {
		*opts.Report = Report{Target: c.service.target, Method: method} // an interceptor may answer itself
	}
	if events.CallBegin != nil {
		if inner := events.CallBegin(ctx, call); inner != nil {
			ctx = inner
		}
	}
	out, err := c.chained(ctx, call, request)
	var reply *Res
	switch message, ok := out.(*Res); {
	case err != nil:
		err = anError(err)
	case out == nil || (ok && message == nil):
		reply = new(Res)
	case !ok:
		err = badMessage(CodeInternal, ReasonBadReply, ExecutedMaybe, method, "reply", out, reply)
	default:
		reply = message
	}
	if events.CallEnd != nil {
		end := ClientCallEnd{Call: call, Report: opts.Report, Elapsed: time.Since(begun), ReplySize: call.replySize}
		if err != nil {
			errors.As(err, &end.Err)
		}
		events.CallEnd(ctx, end)
	}
	return reply, err
}

// chained makes a call through the interceptors, if there are any. A panic in one
// of them is told as an error, as one in a handler is.
func (c *Client) chained(ctx context.Context, call *CallInfo, request any) (reply any, err error) {
	if c.chain == nil {
		return call.invoke(ctx, request)
	}
	defer func() {
		if value := recover(); value != nil {
			c.opts.Logger.Error("interceptor panicked", "method", call.Method, "panic", fmt.Sprint(value), "stack", string(debug.Stack()))
			reply = nil
			err = &Error{Code: CodeInternal, Reason: ReasonPanic, Message: "an interceptor of the client panicked", Executed: ExecutedMaybe}
		}
	}()
	return c.chain(ctx, call, request)
}

// invokeChained is what a client's chain of interceptors ends in.
func invokeChained(ctx context.Context, call *CallInfo, request any) (any, error) {
	return call.invoke(ctx, request)
}

// anError returns err where it is or wraps an *Error, else one that wraps it: an
// interceptor may return what it likes.
func anError(err error) error {
	var typed *Error
	if errors.As(err, &typed) && typed != nil {
		return err
	}
	return &Error{Code: CodeOf(err), Message: err.Error(), Executed: ExecutedMaybe, cause: err}
}

// badMessage returns the error of an interceptor that passed on a message of
// another type than the method's, which want has.
func badMessage(code Code, reason string, executed Executed, method, what string, got, want any) *Error {
	return &Error{
		Code: code, Reason: reason, Executed: executed,
		Message: fmt.Sprintf("%s: an interceptor passed on a %s of type %T, give a %T", method, what, got, want),
	}
}
