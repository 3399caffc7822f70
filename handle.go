// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/rollcall-rpc/rollcall/frame"
	"github.com/rollcall-rpc/rollcall/internal/transport"
)

// Handle makes the server answer a method. It may be called at any time, also
// while the server serves; a name that is taken or not valid, and messages of
// types that can never be sent, are reported by [Server.Serve] and do not replace
// the first handler. A handler for the name of [HealthMethod] or [MethodsMethod]
// takes the place of Rollcall's own.
//
// The handler runs on a goroutine of its own and may block. Its context ends
// when the caller gives up, when its deadline passes, when the connection dies
// and when the server stops for good. The request is the handler's, except that
// a []byte request is valid only until the handler returns. The reply, a []byte
// too, belongs to Rollcall from the return on.
//
// An error that is, or wraps, an [*Error] reaches the caller with its code,
// reason and details; the message is the error's text, in which the message
// stands for the *Error's own. Any other error becomes CodeUnknown with its text.
// Where the handler passes on that a call of its own failed with
// CodeUnavailable, the caller is told so, and does not try it on every server. A
// panic becomes CodeInternal and the server goes on.
func Handle[Req, Res any](s *Server, m Method[Req, Res], handler func(context.Context, *Req) (*Res, error)) {
	h, err := newHandled(s, m, handler)
	if err != nil {
		s.report(err)
		return
	}
	s.handle(h)
}

// newHandled makes what the server answers a method with.
func newHandled[Req, Res any](s *Server, m Method[Req, Res], handler func(context.Context, *Req) (*Res, error)) (*handled, error) {
	if err := errors.Join(checkMethodName(m.Name), checkTypes[Req, Res](m.Name, m.Codec)); err != nil {
		return nil, err
	}
	h := &handled{
		name: m.Name, idempotent: m.Idempotent, codecs: codecsFor[Req](m.Codec), decode: decodeRequest[Req], encode: encodeReply[Res],
		shapes: sync.OnceValues(func() (request, reply Shape) { return shapeOf[Req](), shapeOf[Res]() }),
	}
	_, h.anyCodec = any(new(Req)).(*[]byte)
	handle := func(ctx context.Context, call *CallInfo, request any) (any, error) {
		in, ok := request.(*Req)
		if !ok {
			return nil, badMessage(CodeInternal, ReasonBadRequest, ExecutedNo, m.Name, "request", request, in)
		}
		if !call.begin() {
			return nil, errNotBegun
		}
		return handler(ctx, in)
	}
	var err error
	if h.run, err = s.intercept(handle); err != nil {
		return nil, fmt.Errorf("rollcall: method %q: %w", m.Name, err)
	}
	return h, nil
}

// intercept puts the server's interceptors around a handler.
func (s *Server) intercept(handle Handler) (Handler, error) {
	if len(s.opts.Interceptors) == 0 || slices.ContainsFunc(s.opts.Interceptors, isNil) { // of which check tells
		return handle, nil
	}
	handle = chain(s.opts.Interceptors, handle)
	if handle == nil {
		return nil, errors.New("the first of ServerOptions.Interceptors returned nil: return a Handler")
	}
	return handle, nil
}

func isNil(in Interceptor) bool { return in == nil }

// checkInterceptors reports one that is nil. field is the option that they are in.
func checkInterceptors(field string, interceptors []Interceptor) error {
	if i := slices.IndexFunc(interceptors, isNil); i >= 0 {
		return fmt.Errorf("rollcall: %s[%d] is nil: give a function, or leave it out", field, i)
	}
	return nil
}

// A handled is a method as the server answers it: decode, run, encode.
type handled struct {
	name       string
	gate       *gate // nil: it is never refused for overload
	idempotent bool
	codecs     []Codec // that requests are accepted in
	anyCodec   bool    // others are raw bytes
	decode     func(codec Codec, body []byte, raw *[]byte) (request any, err error)
	run        Handler                                                                        // the handler, with the interceptors around it
	encode     func(method string, codec Codec, reply any) (b []byte, pooled bool, err error) // as encode
	shapes     func() (request, reply Shape)
}

// codec returns the one that a request is written in; nil: it is not accepted.
func (h *handled) codec(id uint8) Codec {
	for _, c := range h.codecs {
		if c.ID() == id {
			return c
		}
	}
	if h.anyCodec {
		return Raw
	}
	return nil
}

// A servedCall is a call in the server's hands, and the context of its handler:
// being the carrier of its CallInfo saves a context.WithValue for each call.
type servedCall struct {
	context.Context //nolint:containedctx // it is a context
	info            CallInfo
	conn            *transport.ServerConn // nil: it came through Invoke
	phase           atomic.Uint32
	own             transport.CallContext // what Context is where it did not
	raw             []byte                // room for the request that is bytes as they are
}

// newCall is for [transport.ServerOptions].NewCall.
func newCall() (*transport.CallContext, any) {
	call := new(servedCall)
	call.Context = &call.own
	return &call.own, call
}

// The phases of a servedCall.
const (
	callOpen uint32 = iota
	callBegun
	callEnded
)

// Value implements [context.Context].
func (c *servedCall) Value(key any) any {
	if _, ok := key.(callInfoKey); ok {
		return &c.info
	}
	return c.Context.Value(key)
}

// begin lets the handler begin; not so where the call has ended already, for it
// was answered that nothing was executed.
func (c *CallInfo) begin() bool {
	s, ok := c.owner.(*servedCall)
	return ok && (s.phase.CompareAndSwap(callOpen, callBegun) || s.phase.Load() == callBegun)
}

// errNotBegun is what an interceptor gets that does not keep to its contract.
var errNotBegun = Errorf(CodeInternal, ReasonBadRequest,
	"the handler is not begun: an interceptor called next after it had returned, or with a CallInfo of its own making")

// end lets the handler begin no more, and tells whether it was begun.
func (c *servedCall) end() Executed {
	if c.phase.Swap(callEnded) == callBegun {
		return ExecutedYes
	}
	return ExecutedNo
}

// answer answers a call; h is nil where there is no such method. It contains
// panics, and tells the events of the call.
func (s *Server) answer(call *servedCall, h *handled, codec uint8, body []byte) (reply transport.Reply, failure *transport.RemoteError) {
	call.info.owner = call
	events := &s.opts.Events
	var ctx context.Context = call
	var begun time.Duration
	if events.CallEnd != nil {
		begun = clock()
	}
	returned := false
	var panicked any
	defer func() {
		if !returned { // by a panic, or by runtime.Goexit, which goes on
			panicked = recover()
			s.logPanic("handler panicked", panicked, "method", call.info.Method)
			reply, failure = transport.Reply{}, &transport.RemoteError{
				Code: CodeInternal, Executed: call.end(), Reason: ReasonPanic, Message: "the handler panicked",
			}
		}
		if events.CallEnd != nil {
			end := ServerCallEnd{Call: &call.info, Elapsed: clock() - begun, ReplySize: len(reply.Body), Panic: panicked}
			if failure != nil {
				end.Code, end.Err, end.Refused = failure.Code, remoteError(failure), failure.Executed == ExecutedNo
			}
			s.tellEnd(ctx, &end)
		}
	}()
	if events.CallBegin != nil {
		if derived := events.CallBegin(ctx, &call.info); derived != nil {
			ctx = derived
		}
	}
	reply, failure = s.run(ctx, call, h, codec, body)
	if events.CallEnd != nil && failure == nil && call.conn != nil {
		if failure = call.conn.CheckReply(reply); failure != nil { // as the connection would, when nobody looks any more
			reply = transport.Reply{}
		}
	}
	returned = true
	return reply, failure
}

// run takes a call through admission, decoding, the handler and encoding.
func (s *Server) run(ctx context.Context, call *servedCall, h *handled, codecID uint8, body []byte) (transport.Reply, *transport.RemoteError) {
	if h == nil {
		return transport.Reply{}, refuse(CodeUnimplemented, ReasonUnknownMethod, fmt.Sprintf("method %q is not handled here", call.info.Method))
	}
	if len(s.opts.Admissions) > 0 {
		admitted, refusal := s.admit(ctx, &call.info)
		if refusal != nil {
			return transport.Reply{}, refusal
		}
		ctx = admitted
	}
	codec := h.codec(codecID)
	if codec == nil {
		return transport.Reply{}, refuse(CodeUnimplemented, ReasonUnknownCodec,
			fmt.Sprintf("%s: codec %d is not accepted, send %s", h.name, codecID, describeCodecs(h.codecs)))
	}
	request, err := h.decode(codec, body, &call.raw)
	if err != nil {
		return transport.Reply{}, refuse(CodeInvalidArgument, ReasonBadRequest,
			fmt.Sprintf("%s: the request of %d bytes does not decode as %s: %v", h.name, len(body), codec.Name(), err))
	}
	out, err := h.run(ctx, &call.info, request)
	executed := call.end()
	if err != nil {
		failure := handlerError(err)
		failure.Executed = executed
		return transport.Reply{}, failure
	}
	encoded, pooled, err := h.encode(h.name, codec, out)
	if err != nil {
		failure := handlerError(err)
		failure.Executed = executed
		return transport.Reply{}, failure
	}
	if pooled {
		return transport.PooledReply(codecID, call.info.ReplyMetadata, encoded), nil
	}
	return transport.Reply{Codec: codecID, Metadata: call.info.ReplyMetadata, Body: encoded}, nil
}

// logPanic tells of a panic and where it was. It is called by the function that
// recovered.
func (s *Server) logPanic(msg string, value any, args ...any) {
	s.log.Error(msg, append(args, "panic", fmt.Sprint(value), "stack", string(debug.Stack()))...)
}

func checkMethodName(name string) error {
	if name == "" || len(name) > frame.MaxMethod || !utf8.ValidString(name) {
		return fmt.Errorf("rollcall: method name %q of %d bytes: give 1 to %d bytes of UTF-8", name[:min(len(name), 64)], len(name), frame.MaxMethod)
	}
	return nil
}

func describeCodecs(codecs []Codec) string {
	names := make([]string, len(codecs))
	for i, c := range codecs {
		names[i] = fmt.Sprintf("%d (%s)", c.ID(), c.Name())
	}
	return strings.Join(names, " or ")
}

// decodeRequest reads a request. A []byte request is not copied, and is in raw.
func decodeRequest[Req any](codec Codec, body []byte, raw *[]byte) (any, error) {
	if in, ok := any(raw).(*Req); ok && codec == Raw {
		*raw = body
		return in, nil
	}
	in := new(Req)
	return in, codec.Decode(body, in)
}

// encodeReply writes a reply; a nil one is that of a zero value. A []byte reply
// is not copied.
func encodeReply[Res any](method string, codec Codec, reply any) (b []byte, pooled bool, err error) {
	out, ok := reply.(*Res)
	if !ok && reply != nil {
		return nil, false, badMessage(CodeInternal, ReasonBadReply, ExecutedYes, method, "reply", reply, out)
	}
	if out == nil {
		out = new(Res)
	}
	if raw, ok := any(out).(*[]byte); ok && codec == Raw {
		return *raw, false, nil
	}
	b, pooled, err = encode(codec, out)
	if err != nil {
		return nil, false, Errorf(CodeInternal, ReasonBadReply, "%s: the reply does not encode as %s: %w", method, codec.Name(), err)
	}
	return b, pooled, nil
}

// refuse returns the error of a call that never reached a handler.
func refuse(code Code, reason, message string) *transport.RemoteError {
	return &transport.RemoteError{Code: code, Executed: ExecutedNo, Reason: reason, Message: message}
}

// handlerError turns what a handler returned into what goes on the wire. What it
// learnt about a call of its own further down is not this call's fate: Executed is
// Yes.
func handlerError(err error) *transport.RemoteError {
	out := &transport.RemoteError{Code: CodeUnknown, Executed: ExecutedYes}
	if typed, ok := errors.AsType[*Error](err); ok {
		if typed == nil {
			out.Code = CodeInternal
			out.Message = "the handler returned a nil *rollcall.Error in an error that is not nil: return nil, not a nil *rollcall.Error"
			return out
		}
		out.Code, out.Reason, out.Details = typed.Code, typed.Reason, typed.Details
		out.Message = errorText(err, typed)
		out.PassedOn = typed.PassedOn || (typed.Report != nil && typed.Code == CodeUnavailable)
		return out
	}
	out.Message = err.Error()
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		out.Code = CodeDeadlineExceeded
	case errors.Is(err, context.Canceled):
		out.Code = CodeCanceled
	}
	return out
}

// errorText returns the text of an error that is or wraps typed, with typed's
// message in the place of its own text: code and reason travel beside it, and what
// a client tried further down is not the caller's business.
func errorText(err error, typed *Error) string {
	text := strings.Replace(err.Error(), typed.Error(), typed.Message, 1)
	return strings.TrimSuffix(text, ": ")
}

// remoteError returns what a caller makes of an error that came over the wire.
func remoteError(e *transport.RemoteError) *Error {
	out := &Error{Code: e.Code, Reason: e.Reason, Message: e.Message, Details: e.Details, Executed: e.Executed, PassedOn: e.PassedOn}
	switch e.Code { //nolint:exhaustive // those with a cause
	case CodeDeadlineExceeded:
		out.cause = context.DeadlineExceeded
	case CodeCanceled:
		out.cause = context.Canceled
	}
	return out
}
