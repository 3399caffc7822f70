// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/rollcall-rpc/rollcall/frame"
	"github.com/rollcall-rpc/rollcall/internal/transport"
)

// A handlerFunc is a method's handler over bytes: decode, run, encode.
type handlerFunc func(ctx context.Context, req *transport.ServerRequest) (transport.Reply, error)

// Handle makes the server answer a method. It may be called at any time, also
// while the server serves; a name that is taken or not valid is reported by
// [Server.Serve] and does not replace the first handler.
//
// The handler runs on a goroutine of its own and may block. Its context ends
// when the caller gives up, when its deadline passes, when the connection dies
// and when the server stops for good. The request is the handler's, except that
// a []byte request is valid only until the handler returns. The reply, a []byte
// too, belongs to Rollcall from the return on. An error that is, or wraps, an
// [*Error] reaches the caller with its code, reason, message and details; any
// other becomes CodeUnknown with its text. A panic becomes CodeInternal and the
// server goes on.
func Handle[Req, Res any](s *Server, m Method[Req, Res], handler func(context.Context, *Req) (*Res, error)) {
	if err := checkMethodName(m.Name); err != nil {
		s.report(err)
		return
	}
	codecs := codecsFor[Req](m.Codec)
	_, anyCodec := any(new(Req)).(*[]byte)
	s.handle(m.Name, func(ctx context.Context, req *transport.ServerRequest) (transport.Reply, error) {
		codec := findCodec(codecs, req.Codec)
		if codec == nil && anyCodec {
			codec = Raw
		}
		if codec == nil {
			return transport.Reply{}, refuse(CodeUnimplemented, ReasonUnknownCodec,
				fmt.Sprintf("%s: codec %d is not accepted, send %s", m.Name, req.Codec, describeCodecs(codecs)))
		}
		in, err := decodeRequest[Req](codec, req.Body)
		if err != nil {
			return transport.Reply{}, refuse(CodeInvalidArgument, ReasonBadRequest,
				fmt.Sprintf("%s: the request of %d bytes does not decode as %s: %v", m.Name, len(req.Body), codec.Name(), err))
		}
		call := &callContext{Context: ctx, info: CallInfo{Method: m.Name, Metadata: req.Metadata, Peer: Peer{Addr: peerFromContext(ctx)}}}
		out, err := handler(call, in)
		if err != nil {
			return transport.Reply{}, handlerError(err)
		}
		body, err := encodeReply(codec, out)
		if err != nil {
			return transport.Reply{}, &transport.RemoteError{
				Code: CodeInternal, Executed: ExecutedYes, Reason: ReasonBadReply,
				Message: fmt.Sprintf("%s: the reply does not encode as %s: %v", m.Name, codec.Name(), err),
			}
		}
		return transport.Reply{Codec: req.Codec, Metadata: call.info.ReplyMetadata, Body: body}, nil
	})
}

// A callContext is a handler's context. Being the carrier of its CallInfo saves
// a context.WithValue for each call.
type callContext struct {
	context.Context //nolint:containedctx // it is a context
	info            CallInfo
}

// Value implements [context.Context].
func (c *callContext) Value(key any) any {
	if _, ok := key.(callInfoKey); ok {
		return &c.info
	}
	return c.Context.Value(key)
}

func checkMethodName(name string) error {
	if name == "" || len(name) > frame.MaxMethod || !utf8.ValidString(name) {
		return fmt.Errorf("rollcall: method name %q of %d bytes: give 1 to %d bytes of UTF-8", name[:min(len(name), 64)], len(name), frame.MaxMethod)
	}
	return nil
}

func findCodec(codecs []Codec, id uint8) Codec {
	for _, c := range codecs {
		if c.ID() == id {
			return c
		}
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

// decodeRequest reads a request. A []byte request is not copied.
func decodeRequest[Req any](codec Codec, body []byte) (*Req, error) {
	in := new(Req)
	if raw, ok := any(in).(*[]byte); ok && codec == Raw {
		*raw = body
		return in, nil
	}
	return in, codec.Decode(body, in)
}

// encodeReply writes a reply; a nil one is that of a zero value. A []byte reply
// is not copied.
func encodeReply[Res any](codec Codec, out *Res) ([]byte, error) {
	if out == nil {
		out = new(Res)
	}
	if raw, ok := any(out).(*[]byte); ok && codec == Raw {
		return *raw, nil
	}
	return codec.Append(nil, out)
}

// refuse returns the error of a call that never reached a handler.
func refuse(code Code, reason, message string) error {
	return &transport.RemoteError{Code: code, Executed: ExecutedNo, Reason: reason, Message: message}
}

// handlerError turns what a handler returned into what goes on the wire. What a
// handler learnt about a call of its own further down is not this call's fate:
// Executed is always Yes.
func handlerError(err error) error {
	out := &transport.RemoteError{Code: CodeUnknown, Executed: ExecutedYes, Message: err.Error()}
	var typed *Error
	switch {
	case errors.As(err, &typed):
		out.Code, out.Reason, out.Message, out.Details = typed.Code, typed.Reason, typed.Message, typed.Details
	case errors.Is(err, context.DeadlineExceeded):
		out.Code = CodeDeadlineExceeded
	case errors.Is(err, context.Canceled):
		out.Code = CodeCanceled
	}
	return out
}
