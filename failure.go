// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"context"
	"errors"

	"github.com/rollcall-rpc/rollcall/balancer"
	"github.com/rollcall-rpc/rollcall/frame"
	"github.com/rollcall-rpc/rollcall/internal/transport"
)

// errAttemptTimeout is the cause of an attempt's context whose own time was up.
var errAttemptTimeout = errors.New("the attempt's own time was up")

// attemptError turns what an attempt met into an Error.
func attemptError(ctx context.Context, err error) *Error {
	var remote *transport.RemoteError
	if errors.As(err, &remote) {
		return remoteError(remote) // the server's clock may be a little ahead of ours
	}
	var typed *Error
	if errors.As(err, &typed) { // of a dialect; the call's report goes to a copy
		e := *typed
		if e.Executed == 0 {
			e.Executed = ExecutedMaybe // it does not say
		}
		return &e
	}
	executed := ExecutedMaybe
	var failed *transport.CallError
	if errors.As(err, &failed) {
		executed, err = failed.Executed, failed.Err
	}
	var limit *frame.LimitError
	switch {
	case ctx.Err() != nil && context.Cause(ctx) != errAttemptTimeout: //nolint:errorlint // identity is meant
		return contextError(ctx, executed)
	case errors.Is(err, transport.ErrDeadline): // of the attempt, where it has one
		return &Error{Code: CodeDeadlineExceeded, Message: context.DeadlineExceeded.Error(), Executed: executed, cause: err}
	case errors.Is(err, errAttemptTimeout):
		return &Error{Code: CodeDeadlineExceeded, Reason: ReasonAttemptTimeout, Message: errAttemptTimeout.Error(), Executed: executed, cause: err}
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

func closedError() *Error {
	return &Error{Code: CodeCanceled, Reason: ReasonClosed, Message: "the client is closed", Executed: ExecutedNo, cause: errClientClosed}
}

// outcome says what an attempt showed of the instance.
func outcome(ctx context.Context, err error) balancer.Outcome {
	if err == nil {
		return balancer.OutcomeAnswered
	}
	switch e := attemptError(ctx, err); {
	case errors.Is(err, errSlowDial), errors.Is(err, transport.ErrTooManyStreams), e.Reason == ReasonTooManyStreams:
		return balancer.OutcomeAbandoned
	case e.Executed != ExecutedYes && (e.Reason == ReasonConnection || e.Reason == ReasonAttemptTimeout):
		return balancer.OutcomeLost
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
		return idempotent && (e.Code == CodeUnavailable || e.Reason == ReasonAttemptTimeout)
	}
}
