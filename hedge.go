// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"context"
	"slices"
	"time"

	"github.com/rollcall-rpc/rollcall/balancer"
)

// hedged makes an attempt on e and, if that is not answered after the time that
// answers mostly take, one on another instance. The first answer counts. It
// returns when both attempts have ended.
func (a *attempts) hedged(ctx context.Context, snap *balancer.Snapshot, e *balancer.Endpoint, now time.Time) (attempt, *Error) {
	usual := a.service.times.of(a.req.Method)
	attemptCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	shared, call, req, timeout := a.service, a.seen, a.req, a.opts.AttemptTimeout
	req.Buffer = nil // both attempts may be answered
	ended, running := make(chan attempt, 2), 0
	seen := attempts{service: shared, req: req, tried: slices.Clone(a.tried)} // a is changed beside the attempts
	launch := func(e *balancer.Endpoint, hedge bool) {
		begun := time.Now()
		if shared.group.spawn(func() {
			t := shared.attempt(attemptCtx, call, e, begun, &req, timeout, hedge, func() bool { return !hedge && seen.connected(e) != nil })
			ended <- t
		}) {
			running++
		}
	}
	launch(e, false)
	if running == 0 {
		return attempt{}, a.finish(snap, closedError())
	}
	var patience <-chan time.Time
	if delay := usual.p99(now); delay > 0 {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		patience = timer.C
	}
	for {
		select {
		case <-patience:
			if other := a.second(snap, e); other != nil {
				launch(other, true)
			}
		case t := <-ended:
			running--
			var failure *Error
			if t.err == nil {
				at := time.Now()
				usual.add(at, at.Sub(now))
			} else if failure = a.failed(ctx, snap, &t); failure == nil && running > 0 {
				continue // the other one may still be answered
			}
			cancel()
			for ; running > 0; running-- {
				switch other := <-ended; {
				case failure == nil, failure.Executed == ExecutedYes && other.err == nil: // one has answered before
					other.reply.Release()
				case other.err == nil: // it was answered all the same
					t, failure = other, nil
				default: // it may have been executed
					a.note(ctx, &other)     //nolint:errcheck // the call has failed with what came first
					a.finish(snap, failure) //nolint:errcheck // likewise
				}
			}
			return t, failure
		}
	}
}

// second returns the instance for a hedge beside e; nil: there is none, or no
// budget for it.
func (a *attempts) second(snap *balancer.Snapshot, e *balancer.Endpoint) *balancer.Endpoint {
	if a.opts.MaxAttempts > 0 && a.sent+2 > a.opts.MaxAttempts {
		return nil
	}
	now := time.Now()
	other := snap.Picker.Pick(balancer.PickInfo{Method: a.req.Method, Tried: append(slices.Clip(a.tried), e), Hash: a.opts.Hash, Now: now})
	if other == nil || !a.service.budget.take(now) {
		return nil
	}
	return other
}
