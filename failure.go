// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"context"
	"errors"
	"time"

	"github.com/rollcall-rpc/rollcall/balancer"
	"github.com/rollcall-rpc/rollcall/frame"
	"github.com/rollcall-rpc/rollcall/internal/transport"
)

// errAttemptTimeout is the cause of an attempt's context whose own time was up.
var errAttemptTimeout = errors.New("the attempt's own time was up")

// attemptError turns what an attempt met into an Error.
func attemptError(ctx context.Context, err error) *Error {
	if remote, ok := errors.AsType[*transport.RemoteError](err); ok {
		return remoteError(remote).withCause(ctx)
	}
	if typed, ok := errors.AsType[*Error](err); ok { // of a dialect; the call's report goes to a copy
		e := *typed
		if e.Executed == 0 {
			e.Executed = ExecutedMaybe // it does not say
		}
		return e.withCause(ctx)
	}
	executed := ExecutedMaybe
	if failed, ok := errors.AsType[*transport.CallError](err); ok {
		executed, err = failed.Executed, failed.Err
	}
	var limit *frame.LimitError
	switch {
	case ctx.Err() != nil && context.Cause(ctx) != errAttemptTimeout: //nolint:errorlint // identity is meant
		return contextError(ctx, executed)
	case errors.Is(err, transport.ErrDeadline): // of the attempt, where it has one
		return &Error{Code: CodeDeadlineExceeded, Message: context.DeadlineExceeded.Error(), Executed: executed, cause: err}
	case errors.Is(err, errAttemptTimeout):
		e := &Error{Code: CodeDeadlineExceeded, Reason: ReasonAttemptTimeout, Message: errAttemptTimeout.Error(), Executed: executed, cause: err}
		return e.withCause(ctx)
	case errors.Is(err, transport.ErrBusy):
		return &Error{Code: CodeUnavailable, Reason: ReasonBusy, Message: err.Error(), Executed: executed, cause: err}
	case errors.As(err, &limit):
		reason := ReasonMessageTooLarge
		switch limit.Kind {
		case frame.LimitMetadata:
			reason = ReasonMetadataTooLarge
		case frame.LimitMessage, frame.LimitMethod:
		}
		return &Error{Code: CodeResourceExhausted, Reason: reason, Message: err.Error(), Executed: executed, cause: err}
	}
	return &Error{Code: CodeUnavailable, Reason: ReasonConnection, Message: err.Error(), Executed: executed, cause: err}
}

// withCause gives an answer that tells of the end of the attempt's context, and
// names no cause, the context's own; the one that every context has where ours has
// not ended.
func (e *Error) withCause(ctx context.Context) *Error {
	var end error
	switch e.Code {
	case CodeDeadlineExceeded:
		end = context.DeadlineExceeded
	case CodeCanceled:
		end = context.Canceled
	default:
		return e
	}
	switch cause := context.Cause(ctx); {
	case errors.Is(ctx.Err(), end) && cause != errAttemptTimeout: //nolint:errorlint // identity is meant
		e.cause = errors.Join(e.cause, withContextErr(ctx, cause))
	case !errors.Is(e.cause, end):
		e.cause = errors.Join(e.cause, end)
	}
	return e
}

// deadlineSlack is how much earlier than the client a server may notice that the
// time of a call is up.
const deadlineSlack = 10 * time.Millisecond

// awaitDeadline waits for the end of an attempt's context where that is due, and
// somebody else was a moment faster to notice: the error is then the same whoever
// was. It reports whether it has waited.
func (s *service) awaitDeadline(ctx context.Context, failure *Error) bool {
	deadline, ok := ctx.Deadline()
	if !ok || ctx.Err() != nil || failure.Code != CodeDeadlineExceeded {
		return false
	}
	left := time.Until(deadline)
	if left > deadlineSlack {
		return false
	}
	timer := time.NewTimer(max(left, 0) + deadlineSlack) // the context's own may be late
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-s.group.ctx.Done():
	}
	return true
}

func closedError() *Error {
	return &Error{Code: CodeCanceled, Reason: ReasonClosed, Message: "the client is closed", Executed: ExecutedNo, cause: errClientClosed}
}

// outcome says what an attempt that failed showed of the instance. e is what the call's
// error would be, and err what the attempt met.
func outcome(e *Error, err error) balancer.Outcome {
	switch {
	case errors.Is(err, errSlowDial), isOwnError(err) != nil, full(err), errors.Is(err, transport.ErrIdle), errors.Is(err, errReused), e.Executed == ExecutedNo && e.Reason == ReasonTooManyStreams, errors.Is(err, transport.ErrBusy):
		return balancer.OutcomeAbandoned
	case e.Executed == ExecutedNo && e.Reason == ReasonBusy:
		return balancer.OutcomeBusy
	case e.Executed != ExecutedYes && (e.Reason == ReasonConnection || e.Reason == ReasonAttemptTimeout):
		return balancer.OutcomeLost
	case e.PassedOn: // it is another service that fails
		return balancer.OutcomeAnswered
	case e.Code == CodeUnavailable, e.Code == CodeInternal, e.Code == CodeDataLoss:
		return balancer.OutcomeError
	case e.Executed == ExecutedYes:
		return balancer.OutcomeAnswered
	}
	return balancer.OutcomeAbandoned
}

// retryable reports whether another instance may be asked after this failure.
func retryable(e *Error, idempotent bool) bool {
	switch e.Executed {
	case ExecutedNo:
		// Elsewhere the same request would be refused for the same reason,
		// except where the reason is the server's state or its version.
		return e.Code == CodeUnavailable || e.Code == CodeUnimplemented || e.Reason == ReasonAttemptTimeout
	default: // a handler that answers that it is unavailable is no better than one that does not answer
		further := e.PassedOn && e.Executed == ExecutedYes // down: another instance would meet the same
		return idempotent && ((e.Code == CodeUnavailable && !further) || e.Reason == ReasonAttemptTimeout)
	}
}
