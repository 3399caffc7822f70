// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rollcall-rpc/rollcall/balancer"
	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/frame"
	"github.com/rollcall-rpc/rollcall/internal/printable"
	"github.com/rollcall-rpc/rollcall/internal/transport"
)

// Executed is what is known about the handler of a failed call.
type Executed = frame.Executed

// What is known about the handler of a failed call.
const (
	ExecutedNo    = frame.ExecutedNo    // it was surely not begun
	ExecutedMaybe = frame.ExecutedMaybe // the request was sent, the answer is missing
	ExecutedYes   = frame.ExecutedYes   // it ran and answered with this error
)

// The reasons that Rollcall itself gives. Services add their own.
const (
	ReasonNoInstance          = "NO_INSTANCE"          // the list holds nobody to call
	ReasonRegistryUnreachable = "REGISTRY_UNREACHABLE" // there has never been a list
	ReasonConnection          = "CONNECTION"           // every attempt failed on the way
	ReasonUnknownMethod       = "UNKNOWN_METHOD"
	ReasonUnknownCodec        = "UNKNOWN_CODEC"
	ReasonBadRequest          = "BAD_REQUEST" // the request does not decode
	ReasonBadReply            = "BAD_REPLY"   // the reply does not decode
	ReasonPanic               = transport.ReasonPanic
	ReasonDraining            = transport.ReasonDraining         // the server is going away
	ReasonTooManyStreams      = transport.ReasonTooManyStreams   // too many calls in flight on the connection
	ReasonBusy                = transport.ReasonBusy             // more calls than can be answered in time
	ReasonMessageTooLarge     = transport.ReasonMessageTooLarge  // a request or reply over its limit
	ReasonMetadataTooLarge    = transport.ReasonMetadataTooLarge // likewise their metadata
	ReasonDeadline            = transport.ReasonDeadline         // it had passed when the request arrived
	ReasonNoToken             = "NO_TOKEN"                       // ClientOptions.Token has none
	ReasonClosed              = "CLOSED"                         // the client is closed
	ReasonAttemptTimeout      = "ATTEMPT_TIMEOUT"                // CallOptions.AttemptTimeout passed before the call's deadline
)

// An Error is how a call fails. A handler returns one to choose code, reason,
// message and details; they reach the caller as they are. Find it with
// [errors.As].
type Error struct {
	Code    Code
	Reason  string            // for programs: UPPER_SNAKE_CASE, stable; may be empty
	Message string            // for people
	Details map[string]string // further facts for programs; may be nil

	// PassedOn says that the handler passed on the failure of a call of its own.
	// Another instance would meet the same, so none is asked, not even for an
	// idempotent method.
	PassedOn bool

	// Executed is set by Rollcall where the error of a call leaves a server, and
	// where a call fails on the way: callers, events and [Server.Invoke] see the
	// same. Whatever it says before, an error of a handler that was begun is
	// ExecutedYes, and one of an [Admission], or of an [Interceptor] that did not call
	// next, ExecutedNo. 0, as [Errorf] leaves it: nobody has said; that is what a
	// server's interceptors see of an error that next returns.
	Executed Executed

	// Report tells what the client tried; nil in a handler.
	Report *Report

	cause error
}

// Errorf returns an Error with a code, a reason and a formatted message. What
// %w wraps is found by [errors.Is] and [errors.As] on this side of the wire. Executed
// is 0: a handler, an admission or an interceptor returns the error as it is, many
// may return the same one, and Rollcall tells the caller whether the handler ran.
func Errorf(code Code, reason, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Reason: reason, Message: err.Error(), cause: errors.Unwrap(err)}
}

// Error says what failed, what is known about its execution, on which list the
// client relied and what each attempt met, in one line that is fit to be printed,
// whatever a server, or an entry, says: control characters are shown as Go writes
// them. The fields have the text as it came.
func (e *Error) Error() string {
	if e == nil {
		return "<nil>"
	}
	var b strings.Builder
	b.WriteString(e.Code.String())
	if e.Reason != "" {
		b.WriteString(" " + e.Reason)
	}
	if e.Message != "" {
		b.WriteString(": " + e.Message)
	}
	switch e.Executed {
	case ExecutedNo:
		b.WriteString(" (not executed)")
	case ExecutedMaybe:
		b.WriteString(" (perhaps executed)")
	case ExecutedYes: // it was answered
	}
	// A handler's own error is about the service, not about the way to it.
	switch {
	case e.Report == nil:
	case e.Executed != ExecutedYes:
		b.WriteString("; " + e.Report.String())
	case e.Report.Answered.Name != "":
		fmt.Fprintf(&b, "; answered by %s (%s)", e.Report.Answered.Addr(), e.Report.Answered.Name)
	case e.Report.Answered.Host != "":
		fmt.Fprintf(&b, "; answered by %s", e.Report.Answered.Addr())
	}
	return printable.Line(b.String())
}

// Unwrap returns the local cause, such as [context.DeadlineExceeded]; nil for an
// error that came over the wire.
func (e *Error) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.cause
}

// A Report tells what a client tried for one call.
type Report struct {
	Target    string
	Method    string
	Source    discovery.Source
	ListAge   time.Duration // since the list was last known to be true; 0: it is live or static; negative: never
	SourceErr error         // why the list is not live
	Counts    balancer.Counts
	Panic     bool      // fewer than half of the members were usable
	Attempts  []Attempt // those that failed
	Stopped   string    // why no further instance was tried, where one was left; else empty

	Answered discovery.Instance // with a reply, or with an error of its handler; zero: nobody
	Metadata Metadata           // of the reply
}

// An Attempt is one try of a call on one instance.
type Attempt struct {
	Addr     string
	Instance string // its entry in the list
	Phase    Phase  // where it ended
	Elapsed  time.Duration
	Hedge    bool // it was made because an earlier one took long
	Executed Executed
	Code     Code // of the error; 0: it was answered with a reply
	Err      error
}

// String returns the report in one line.
func (r *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s on %s", r.Method, r.Target)
	switch {
	case r.Source == discovery.SourceStatic:
		b.WriteString(", static list")
	case r.ListAge < 0:
		b.WriteString(", no list yet")
	case r.ListAge == 0:
		b.WriteString(", live list")
	default:
		fmt.Fprintf(&b, ", %v list confirmed %v ago", r.Source, r.ListAge.Round(time.Millisecond))
	}
	fmt.Fprintf(&b, ": %v", r.Counts)
	if r.Panic {
		b.WriteString(", too few to trust the list")
	}
	if r.SourceErr != nil {
		fmt.Fprintf(&b, " (%v)", r.SourceErr)
	}
	for _, a := range r.Attempts {
		tried := "tried"
		if a.Hedge {
			tried = "hedged to"
		}
		fmt.Fprintf(&b, "; %s %s (%s, %v): %v", tried, a.Addr, a.Phase, a.Elapsed.Round(10*time.Microsecond), a.Err)
	}
	if r.Stopped != "" {
		b.WriteString("; no further attempt: " + r.Stopped)
	}
	return printable.Line(b.String())
}

// contextError returns the Error of a call whose context ended. Both the cause and
// what the context itself says are found in it.
func contextError(ctx context.Context, executed Executed) *Error {
	code, cause := CodeCanceled, context.Cause(ctx)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		code = CodeDeadlineExceeded
	}
	return &Error{Code: code, Message: cause.Error(), Executed: executed, cause: withContextErr(ctx, cause)}
}

// withContextErr adds what an ended context itself says to a cause that it was
// given, for programs that look for nothing else.
func withContextErr(ctx context.Context, cause error) error {
	if errors.Is(cause, ctx.Err()) {
		return cause
	}
	return errors.Join(cause, ctx.Err())
}

// CodeOf returns the code of an error: that of the [*Error] which err is or wraps,
// CodeDeadlineExceeded and CodeCanceled for the errors of contexts, CodeUnknown for
// any other, and CodeOK for nil, a nil *Error too.
func CodeOf(err error) Code {
	if bare, ok := err.(*Error); err == nil || (ok && bare == nil) { //nolint:errorlint // one that wraps nil is an error all the same
		return CodeOK
	}
	var typed *Error
	switch {
	case errors.As(err, &typed) && typed != nil:
		return typed.Code
	case errors.Is(err, context.DeadlineExceeded):
		return CodeDeadlineExceeded
	case errors.Is(err, context.Canceled):
		return CodeCanceled
	}
	return CodeUnknown
}

// Is makes [errors.Is] find an Error by what target, another *Error, has of code
// and reason. So a service declares its errors once, and both sides ask for them:
//
//	var ErrOutOfStock = rollcall.Errorf(rollcall.CodeFailedPrecondition, "OUT_OF_STOCK", "none left")
//	…
//	if errors.Is(err, ErrOutOfStock) { … }
//
// The message does not count, nor do details. A target with neither code nor
// reason is found nowhere.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	if !ok || t == nil || e == nil || (t.Code == 0 && t.Reason == "") {
		return false
	}
	return (t.Code == 0 || t.Code == e.Code) && (t.Reason == "" || t.Reason == e.Reason)
}
