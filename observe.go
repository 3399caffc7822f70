// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/rollcall-rpc/rollcall/balancer"
)

// observed reports whether anybody sees the client's calls. Where nobody does,
// a call has no CallInfo, and costs nothing for it.
func (c *Client) observed() bool {
	e := &c.opts.Events
	return c.chain != nil || e.CallBegin != nil || e.CallEnd != nil || e.AttemptBegin != nil || e.AttemptEnd != nil || e.RetryDenied != nil
}

// A seenCall is what those who make a call note for those who see it. There is a
// report to be made of it, which most never ask for.
type seenCall struct {
	CallInfo
	client *Client
	snap   *balancer.Snapshot // nil: nobody was asked
	made   []Attempt          // those that failed
}

// report tells what was tried.
func (s *seenCall) report() Report {
	r := s.noReport()
	if s.snap != nil {
		r = s.client.service.report(s.Method, s.snap, s.made)
	}
	if s.Instance != nil {
		r.Answered, r.Metadata = *s.Instance, s.ReplyMetadata
	}
	return r
}

// noReport is the report of a call that has asked nobody.
func (s *seenCall) noReport() Report {
	return Report{Target: s.client.service.target, Method: s.Method}
}

// observed is a call that somebody sees, in one piece of memory.
type observed[Req, Res any] struct {
	seenCall
	opts  CallOptions
	codec Codec // as exchange takes it
	reply *Res  // room for the first reply; nil: there is none
}

// observedBytes is one of [Client.Invoke], with its messages in the same memory.
type observedBytes struct {
	observed[[]byte, []byte]
	in, out []byte
}

// observe makes a call that somebody sees: it tells of its begin and end, and has
// the exchange made inside the interceptors.
func observe[Req, Res any](ctx context.Context, c *Client, o *observed[Req, Res], method string, codec Codec, request *Req, opts *CallOptions) (*Res, error) {
	begun := clock()
	call := &o.CallInfo
	call.Method, call.Metadata, call.executed, call.owner, o.client = method, opts.Metadata, ExecutedNo, o, c
	o.opts, o.codec = *opts, codec
	if opts.Report != nil {
		*opts.Report = o.noReport() // an interceptor may answer itself
	}
	events := &c.opts.Events
	if events.CallBegin != nil {
		if inner := events.CallBegin(ctx, call); inner != nil {
			ctx = inner
		}
	}
	out, err := c.chained(ctx, o, call, request)
	var reply *Res
	switch message, ok := out.(*Res); {
	case err != nil:
		err = call.anError(err)
	case out == nil || (ok && message == nil):
		reply = new(Res)
	case !ok:
		err = badMessage(CodeInternal, ReasonBadReply, call.executed, method, "reply", out, reply)
	default:
		reply = message
	}
	if events.CallEnd != nil {
		end := ClientCallEnd{Call: call, Elapsed: clock() - begun, ReplySize: int(call.replySize), seen: &o.seenCall}
		if err != nil {
			end.Err, _ = errors.AsType[*Error](err)
			end.Code = end.Err.Code
		}
		events.CallEnd(ctx, end)
	}
	return reply, err
}

// invoke implements [invoker].
func (o *observed[Req, Res]) invoke(ctx context.Context, message any) (any, error) {
	call := &o.CallInfo
	request, ok := message.(*Req)
	if !ok {
		return nil, badMessage(CodeInvalidArgument, ReasonBadRequest, ExecutedNo, call.Method, "request", message, request)
	}
	if call.asked { // an interceptor may call again
		call.Instance, call.ReplyMetadata, call.replySize, o.snap, o.made = nil, nil, 0, nil, nil
		if o.opts.Report != nil {
			*o.opts.Report = o.noReport()
		}
	}
	call.asked = true
	reply := o.reply
	o.reply = nil
	if reply == nil {
		reply = new(Res)
	}
	o.opts.Metadata = call.Metadata
	before := call.executed
	call.executed = max(before, ExecutedMaybe) // should exchange panic
	err := exchange(ctx, o.client, &o.seenCall, call.Method, o.codec, request, reply, &o.opts)
	call.executed = max(before, executed(err))
	if err != nil {
		return nil, err // and no typed nil
	}
	return reply, nil
}

// chained makes a call through the interceptors, if there are any. A panic in one
// of them is told as an error, as one in a handler is.
func (c *Client) chained(ctx context.Context, inner invoker, call *CallInfo, request any) (reply any, err error) {
	if c.chain == nil {
		return inner.invoke(ctx, request)
	}
	defer func() {
		if value := recover(); value != nil {
			c.log.Error("interceptor panicked", "method", call.Method, "panic", fmt.Sprint(value), "stack", string(debug.Stack()))
			reply = nil
			err = &Error{Code: CodeInternal, Reason: ReasonPanic, Message: "an interceptor of the client panicked", Executed: call.executed}
		}
	}()
	return c.chain(ctx, call, request)
}

// invokeChained is what a client's chain of interceptors ends in.
func invokeChained(ctx context.Context, call *CallInfo, request any) (any, error) {
	if call != nil {
		if inner, ok := call.owner.(invoker); ok {
			return inner.invoke(ctx, request)
		}
	}
	return nil, &Error{
		Code: CodeInvalidArgument, Reason: ReasonBadRequest, Executed: ExecutedNo,
		Message: "an interceptor called next with a CallInfo of its own making: pass on the one that it was given",
	}
}

// executed returns what a call that ended so tells of its handler.
func executed(err error) Executed {
	if err == nil {
		return ExecutedYes
	}
	if typed, ok := errors.AsType[*Error](err); ok {
		return typed.Executed
	}
	return ExecutedMaybe
}

// anError returns err where it is or wraps an *Error that says whether the call was
// executed, else one that wraps it: an interceptor may return what it likes.
func (c *CallInfo) anError(err error) error {
	var typed *Error
	switch {
	case !errors.As(err, &typed):
		return &Error{Code: CodeOf(err), Message: err.Error(), Executed: c.executed, cause: err}
	case typed == nil:
		return &Error{
			Code: CodeInternal, Executed: c.executed,
			Message: "an interceptor returned a nil *rollcall.Error in an error that is not nil: return nil, not a nil *rollcall.Error",
		}
	case typed.Executed != 0:
		return err
	}
	e := *typed
	e.Message, e.Executed, e.cause = errorText(err, typed), c.executed, err
	return &e
}

// badMessage returns the error of an interceptor that passed on a message of
// another type than the method's, which want has.
func badMessage(code Code, reason string, executed Executed, method, what string, got, want any) *Error {
	return &Error{
		Code: code, Reason: reason, Executed: executed,
		Message: fmt.Sprintf("%s: an interceptor passed on a %s of type %T, give a %T", method, what, got, want),
	}
}
