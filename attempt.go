// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"context"
	"errors"
	"time"

	"github.com/rollcall-rpc/rollcall/balancer"
	"github.com/rollcall-rpc/rollcall/internal/transport"
)

// An attempt is one try of a call on one instance, and what became of it.
type attempt struct {
	endpoint *balancer.Endpoint
	hedge    bool
	reply    transport.Reply
	phase    Phase // where it failed
	elapsed  time.Duration
	err      error
	failure  *Error // what err is, as the call's error would be
}

// attempt makes one attempt and tells the balancer how it ended. Where e has no
// connection that can take the call now, elsewhere says whether another instance
// has one.
func (s *service) attempt(ctx context.Context, call *seenCall, e *balancer.Endpoint, begun time.Time, req *transport.Request, timeout time.Duration, hedge bool, elsewhere func() bool) (a attempt) {
	a.endpoint, a.hedge = e, hedge
	if call != nil && s.events.AttemptBegin != nil {
		if inner := s.events.AttemptBegin(ctx, a.info(call)); inner != nil {
			ctx = inner
		}
	}
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, timeout, errAttemptTimeout)
		defer cancel()
	}
	e.Start(begun)
	sent := begun // unless it had to wait for a connection
	a.reply, a.phase, a.err = peerOf(e).call(ctx, e, req, &sent, elsewhere)
	ended := instant()
	a.elapsed = ended.Sub(begun)
	latency := ended.Sub(sent)
	if a.err != nil && (a.phase == PhaseDial || a.phase == PhaseHandshake) {
		latency = 0 // the time of a dial says nothing of an answer's
	}
	result := balancer.OutcomeAnswered
	if a.err != nil {
		a.failure = attemptError(ctx, a.err)
		result = outcome(a.failure, a.err)
	}
	if e.Finish(ended, latency, result) {
		s.members.Review()
	}
	if a.err != nil && s.awaitDeadline(ctx, a.failure) {
		a.failure = attemptError(ctx, a.err)
		a.elapsed = time.Since(begun)
	}
	if call != nil && s.events.AttemptEnd != nil {
		info := a.info(call)
		info.Phase, info.Elapsed, info.Executed = a.phase, a.elapsed, ExecutedYes
		if a.err != nil {
			info.Executed, info.Code, info.Err = a.failure.Executed, a.failure.Code, a.cause()
		}
		s.events.AttemptEnd(ctx, info)
	}
	return a
}

// info returns what others see of the attempt when it begins.
func (a *attempt) info(call *seenCall) AttemptInfo {
	in := &a.endpoint.Instance
	return AttemptInfo{Call: &call.CallInfo, Instance: in, Attempt: Attempt{Addr: in.Addr(), Instance: in.Name, Hedge: a.hedge}}
}

// unsent reports whether the attempt was given up before the instance had anything
// of it, for its connection was slow to come, full, or ended in this moment because
// it was idle.
func (a *attempt) unsent() bool {
	return errors.Is(a.err, errSlowDial) || full(a.err) || errors.Is(a.err, transport.ErrIdle)
}

// aged reports whether the attempt was lost with a connection of a dialect that may
// have ended of its age. Something of the request was written.
func (a *attempt) aged() bool { return errors.Is(a.err, errReused) }

// spared reports whether the instance has refused the attempt without any work for
// it, so that another one is no load.
func (a *attempt) spared(failure *Error) bool {
	return failure.Executed == ExecutedNo &&
		(a.phase == PhaseDial || failure.Reason == ReasonBusy || failure.Reason == ReasonUnknownMethod)
}

// mayBeBack reports whether the server of an attempt that failed may answer another
// one at once: an established connection died. Of silence too, for it may be the
// connection that was forgotten on its way, or the server that was short of CPU.
func (a *attempt) mayBeBack() bool {
	switch a.phase {
	case PhaseDial, PhaseHandshake, PhaseReply:
		return false
	case PhaseQueue, PhaseWrite, PhaseWait:
	}
	return !errors.Is(a.err, transport.ErrBusy) && !errors.Is(a.err, errAttemptTimeout)
}

// cause returns what the attempt met, without the phase and what is known of the
// execution, which the call's report has apart.
func (a *attempt) cause() error {
	if bare, ok := errors.AsType[*transport.CallError](a.err); ok {
		return bare.Err
	}
	return a.err
}
