// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/rollcall-rpc/rollcall/frame"
	"github.com/rollcall-rpc/rollcall/internal/printable"
)

// The causes that callers may test for with errors.Is.
var (
	// ErrClosed: Close was called at this end.
	ErrClosed = errors.New("transport: connection closed")
	// ErrPeerClosed: the peer ended the connection without a word.
	ErrPeerClosed = errors.New("transport: connection closed by the peer")
	// ErrGoAway: the peer's GOAWAY covers the call. The error it is wrapped
	// with quotes reason and text.
	ErrGoAway = errors.New("transport: peer went away")
	// ErrIdle: the connection was idle, and this end has closed it, or the peer's
	// GOAWAY, which covers the call, ends it. That is an ErrGoAway too.
	ErrIdle = errors.New("transport: the connection was idle")
	// ErrKeepalive: nothing came from the peer for too long while calls were
	// outstanding.
	ErrKeepalive = errors.New("transport: peer is silent")
	// ErrHandshakeTimeout: the peer's preface did not come in time.
	ErrHandshakeTimeout = errors.New("transport: no preface from the peer in time")
	// ErrWrongInstance: the server is not the instance that was meant.
	ErrWrongInstance = errors.New("transport: wrong instance")
	// ErrUnsupportedVersion: the server does not speak our protocol version.
	ErrUnsupportedVersion = errors.New("transport: unsupported protocol version")
	// ErrDeadline: the deadline had passed before the request could be sent; the
	// context may not have noticed yet.
	ErrDeadline = fmt.Errorf("transport: not sent: %w", context.DeadlineExceeded)

	// ErrTooManyStreams: as many calls are in flight as the connection allows.
	ErrTooManyStreams = errors.New("transport: too many calls in flight on the connection")
	// ErrBusy: the wait for a place among these is over without one.
	ErrBusy = errors.New("transport: too many calls for the connection")
	// ErrProtocol: the peer broke the protocol. The error it is wrapped with
	// says how.
	ErrProtocol = errors.New("transport: protocol error")
)

// The reasons of the ERROR frames that a server sends by itself.
const (
	ReasonDraining         = "DRAINING"           // Unavailable, not executed
	ReasonTooManyStreams   = "TOO_MANY_STREAMS"   // Unavailable, not executed
	ReasonBusy             = "BUSY"               // Unavailable, not executed
	ReasonMessageTooLarge  = "MESSAGE_TOO_LARGE"  // ResourceExhausted; executed if the reply was
	ReasonMetadataTooLarge = "METADATA_TOO_LARGE" // ResourceExhausted; executed if the reply's were
	ReasonDeadline         = "DEADLINE"           // DeadlineExceeded, not executed
	ReasonPanic            = "PANIC"              // Internal, executed
)

// A RemoteError is an ERROR frame: the server's answer. Handlers return one to
// choose what the client gets; a zero Executed then means Yes.
type RemoteError frame.Error

// Error returns code, reason and message, fit to be printed.
func (e *RemoteError) Error() string {
	if e.Reason == "" {
		return printable.Line(fmt.Sprintf("%v: %s", e.Code, e.Message))
	}
	return printable.Line(fmt.Sprintf("%v (%s): %s", e.Code, e.Reason, e.Message))
}

// A Phase says how far a call had come when it failed.
type Phase uint8

// The phases of a call.
const (
	PhaseQueue     Phase = iota + 1 // no byte of it had been given to the socket
	PhaseWrite                      // it was being written
	PhaseHandshake                  // written, and the server's preface had not come
	PhaseWait                       // written; waiting for the reply
)

// String returns "queue", "write", "handshake" or "wait".
func (p Phase) String() string {
	switch p {
	case PhaseQueue:
		return "queue"
	case PhaseWrite:
		return "write"
	case PhaseHandshake:
		return "handshake"
	case PhaseWait:
		return "wait"
	}
	return fmt.Sprintf("phase %d", uint8(p))
}

// A CallError is the failure of a call that the server did not answer.
type CallError struct {
	Executed frame.Executed
	Phase    Phase
	Err      error // the cause: a sentinel above, the context's, or the socket's
}

// Error names phase, cause and whether the request may have been executed.
func (e *CallError) Error() string {
	return fmt.Sprintf("call failed in phase %v, executed: %v: %v", e.Phase, e.Executed, e.Err)
}

// Unwrap returns the cause.
func (e *CallError) Unwrap() error { return e.Err }

// goAwayError is ErrGoAway with what the peer said.
type goAwayError struct{ frame.GoAway }

func (e *goAwayError) Error() string {
	return fmt.Sprintf("%v: %v: %q", ErrGoAway, e.Reason, e.Text)
}

func (e *goAwayError) Unwrap() error { return ErrGoAway }

func (e *goAwayError) Is(target error) bool {
	return target == ErrIdle && e.Reason == frame.GoAwayIdle
}

// streamsError is ErrTooManyStreams with the limit. Its text is written only where it
// is read.
type streamsError int32

func (e streamsError) Error() string {
	return fmt.Sprintf("%v: the limit is %d", ErrTooManyStreams, int32(e))
}

func (e streamsError) Unwrap() error { return ErrTooManyStreams }

func protocolError(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrProtocol, fmt.Errorf(format, args...))
}

// limitOf returns the LimitError that err is, or nil.
func limitOf(err error) *frame.LimitError {
	if err == nil {
		return nil // without a variable on the heap
	}
	var limit *frame.LimitError
	errors.As(err, &limit)
	return limit
}

// contextError is why ctx ended: its error and, if it says more, its cause.
func contextError(ctx context.Context) error {
	err := ctx.Err()
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, err) {
		return fmt.Errorf("%w: %w", err, cause)
	}
	return err
}

func ioError(op string, err error) error { return fmt.Errorf("transport: %s: %w", op, err) }

// readCause turns what ended a reader into what the connection died of.
func readCause(err error) error {
	var format *frame.FormatError
	switch {
	case errors.Is(err, ErrProtocol), errors.Is(err, ErrHandshakeTimeout),
		errors.Is(err, ErrWrongInstance), errors.Is(err, ErrUnsupportedVersion):
		return err
	case errors.As(err, &format):
		return fmt.Errorf("%w: %w", ErrProtocol, err)
	case errors.Is(err, io.EOF):
		return ErrPeerClosed
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w within a frame", ErrPeerClosed)
	}
	return ioError("read", err)
}
