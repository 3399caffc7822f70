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
func (a *attempts) hedged(ctx context.Context, snap *balancer.Snapshot, e *balancer.Endpoint, now time.Time) (try, error) {
	usual := a.client.times.of(a.req.Method)
	attemptCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	client, req, timeout := a.client, a.req, a.opts.AttemptTimeout
	ended, running := make(chan try, 2), 0
	launch := func(e *balancer.Endpoint, hedge bool) {
		begun := time.Now()
		if client.spawn(func() {
			t := client.try(attemptCtx, e, begun, &req, timeout, nil)
			t.hedge = hedge
			ended <- t
		}) {
			running++
		}
	}
	launch(e, false)
	if running == 0 {
		return try{}, a.finish(snap, closedError())
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
			var err error
			if t.err != nil {
				if err = a.failed(ctx, snap, &t); err == nil && running > 0 {
					continue // the other one may still be answered
				}
			} else {
				at := time.Now()
				usual.add(at, at.Sub(now))
			}
			cancel()
			for ; running > 0; running-- {
				loser := <-ended
				loser.reply.Release()
			}
			return t, err
		}
	}
}

// second returns the instance for a hedge beside e; nil: there is none, or no
// budget for it.
func (a *attempts) second(snap *balancer.Snapshot, e *balancer.Endpoint) *balancer.Endpoint {
	if a.opts.MaxAttempts > 0 && a.count+2 > a.opts.MaxAttempts {
		return nil
	}
	now := time.Now()
	other := snap.Picker.Pick(balancer.PickInfo{Tried: append(slices.Clip(a.tried), e), Now: now})
	if other == nil || !a.client.budget.take(now) {
		return nil
	}
	return other
}
