// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/rollcall-rpc/rollcall/balancer"
	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/internal/transport"
)

// attempts is the state of a call over its tries.
type attempts struct {
	client *Client
	opts   CallOptions
	req    transport.Request

	made   []Attempt
	tried  []*balancer.Endpoint // not to be picked again in this round
	again  []*balancer.Endpoint // of those, the ones worth another try: their connection died, or was not there yet
	hurry  bool                 // the last one had no connection yet, or a full one; others are connected
	free   bool                 // the next one is in the place of such a one
	count  int                  // those in made that had
	last   *Error               // what the last attempt met
	rounds int

	stopped string // why no further attempt was made, where somebody was left to ask
}

// A try is one attempt and what became of it.
type try struct {
	endpoint *balancer.Endpoint
	hedge    bool
	reply    transport.Reply
	phase    string // where it failed
	elapsed  time.Duration
	err      error
}

// attempt makes an attempt on e, with a hedge where that is wanted. Its error is
// the call's; a try that failed without one may be followed by another.
func (a *attempts) attempt(ctx context.Context, snap *balancer.Snapshot, e *balancer.Endpoint, now time.Time) (try, *Error) {
	if a.opts.Hedge && a.opts.Idempotent && a.opts.Instance == "" {
		return a.hedged(ctx, snap, e, now)
	}
	t := a.client.try(ctx, e, now, &a.req, a.opts.AttemptTimeout, func() bool { return a.connected(e) != nil })
	if t.err != nil {
		return t, a.failed(ctx, snap, &t)
	}
	return t, nil
}

// try makes one attempt and tells the balancer how it ended.
func (c *Client) try(ctx context.Context, e *balancer.Endpoint, begun time.Time, req *transport.Request, timeout time.Duration, elsewhere func() bool) (t try) {
	t.endpoint = e
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, timeout, errAttemptTimeout)
		defer cancel()
	}
	e.Start(begun)
	t.reply, t.phase, t.err = peerOf(e).call(ctx, e, req, elsewhere)
	ended := time.Now()
	t.elapsed = ended.Sub(begun)
	if e.Finish(ended, t.elapsed, outcome(ctx, t.err)) {
		c.wake()
	}
	return t
}

// answered gives the caller what it wants to know beside the reply.
func (a *attempts) answered(t *try) {
	if a.opts.Answered != nil {
		*a.opts.Answered = t.endpoint.Instance
	}
	if a.opts.ReplyMetadata != nil && t.err == nil {
		*a.opts.ReplyMetadata = t.reply.Metadata
	}
}

// pick returns the next instance to try; nil: there is none.
func (a *attempts) pick(snap *balancer.Snapshot, now time.Time) *balancer.Endpoint {
	if a.hurry {
		a.hurry = false
		if e := a.connected(nil); e != nil {
			return e
		}
	}
	if a.opts.Instance == "" {
		return snap.Picker.Pick(balancer.PickInfo{Tried: a.tried, Hash: a.opts.Hash, Now: now})
	}
	for _, s := range snap.Endpoints {
		if s.Endpoint.Instance.Name != a.opts.Instance && s.Endpoint.Instance.Addr() != a.opts.Instance {
			continue
		}
		if slices.Contains(a.tried, s.Endpoint) {
			return nil
		}
		return s.Endpoint
	}
	return nil
}

// connected returns a usable instance, other than e and not tried yet, that has
// a connection; nil: there is none.
func (a *attempts) connected(e *balancer.Endpoint) *balancer.Endpoint {
	if a.opts.Instance != "" {
		return nil
	}
	list := a.client.snapshot.Load().Endpoints
	for i, start := 0, rand.IntN(len(list)+1); i < len(list); i++ {
		s := list[(start+i)%len(list)]
		if s.State == balancer.StateUsable && s.Endpoint != e && peerOf(s.Endpoint).connected() != nil && !slices.Contains(a.tried, s.Endpoint) {
			return s.Endpoint
		}
	}
	return nil
}

// charge takes an attempt beyond the call's first from the client's retry budget.
// One in the place of an attempt that was not sent, for its connection was slow to
// come or full, is no load for anybody. Without budget the call fails, or waits where it waits anyway.
func (a *attempts) charge(ctx context.Context, snap *balancer.Snapshot, now time.Time) (granted bool, err error) {
	if len(a.made) == 0 || a.free || a.client.budget.take(now) {
		a.free = false
		return true, nil
	}
	if !a.opts.WaitForReady {
		return false, a.exhausted(snap, "the retry budget is used up")
	}
	timer := time.NewTimer(time.Second / RetriesPerSecond)
	defer timer.Stop()
	select {
	case <-timer.C:
		return false, nil
	case <-ctx.Done():
		return false, a.finish(snap, contextError(ctx, ExecutedNo))
	case <-a.client.ctx.Done():
		return false, a.finish(snap, closedError())
	}
}

// wait is called when nobody is left to try. It returns nil when it is worth
// trying again, else the call's error.
func (a *attempts) wait(ctx context.Context, snap *balancer.Snapshot) error {
	if a.client.ctx.Err() != nil {
		return a.finish(snap, closedError())
	}
	// An established connection that died says little about the server: it may
	// have been restarted, and there is nobody else.
	if a.rounds == 0 && len(a.again) > 0 {
		a.rounds++
		a.tried = without(a.tried, a.again)
		return nil
	}
	current, changed := a.client.current()
	if current != snap {
		return nil
	}
	unknown := snap.Source <= discovery.SourceNone && snap.Err == nil // the first list is on its way
	if !unknown && (!a.opts.WaitForReady || a.refused()) {
		return a.exhausted(snap, "")
	}
	select {
	case <-changed:
	case <-another(snap):
	case <-ctx.Done():
		return a.finish(snap, contextError(ctx, ExecutedNo))
	case <-a.client.ctx.Done():
		return a.finish(snap, closedError())
	}
	a.tried, a.again, a.rounds = a.tried[:0], a.again[:0], 0
	return nil
}

// another returns a channel on which something comes when those that have failed
// may be tried another time though nothing has changed: who is usable has
// recovered before anybody looked, or is not known to be worse for it, and so is
// who is called for want of anybody better while it is connected. Nil: there is
// nobody.
func another(snap *balancer.Snapshot) <-chan time.Time {
	if snap.Counts.Usable == 0 && !slices.ContainsFunc(snap.Endpoints, lastResort) {
		return nil
	}
	return time.After(time.Second / RetriesPerSecond)
}

// lastResort reports whether an instance that is not usable is connected, and called
// where nobody is.
func lastResort(s balancer.EndpointState) bool {
	switch s.State {
	case balancer.StateEjected, balancer.StateLingering, balancer.StateDraining, balancer.StateLeaving:
		return peerOf(s.Endpoint).connected() != nil
	}
	return false
}

// refused reports whether the last attempt shows that an instance is there, and
// will not have the call.
func (a *attempts) refused() bool {
	return a.last != nil && (a.last.Executed == ExecutedYes || a.last.Code == CodeUnimplemented)
}

// note notes an attempt that failed and returns its error.
func (a *attempts) note(ctx context.Context, t *try) *Error {
	failure := attemptError(ctx, t.err)
	if failure.Code == CodeDeadlineExceeded && a.opts.AttemptTimeout > 0 && ctx.Err() == nil && t.elapsed >= a.opts.AttemptTimeout {
		failure.Reason = ReasonAttemptTimeout // the server was a moment faster to notice
	}
	err := t.err
	var bare *transport.CallError
	if errors.As(err, &bare) {
		err = bare.Err // the attempt tells the phase, and what is known of the execution
	}
	e := t.endpoint
	a.made = append(a.made, Attempt{
		Addr: e.Instance.Addr(), Instance: e.Instance.Name, Phase: t.phase, Hedge: t.hedge,
		Elapsed: t.elapsed, Executed: failure.Executed, Err: err,
	})
	return failure
}

// failed notes an attempt that failed and returns the call's error, or nil
// where another instance may be tried.
func (a *attempts) failed(ctx context.Context, snap *balancer.Snapshot, t *try) *Error {
	failure := a.note(ctx, t)
	if failure.Executed == ExecutedYes {
		a.answered(t)
	}
	a.last = failure
	switch {
	case a.client.ctx.Err() != nil && failure.Executed != ExecutedYes:
		closed := closedError()
		closed.Executed = failure.Executed
		return a.finish(snap, closed)
	case ctx.Err() != nil || !retryable(failure, a.opts.Idempotent):
		return a.finish(snap, failure)
	}
	a.tried = append(a.tried, t.endpoint)
	a.hurry = errors.Is(t.err, errSlowDial) || errors.Is(t.err, transport.ErrTooManyStreams)
	a.free = a.hurry
	if a.hurry || mayBeBack(t) {
		a.again = append(a.again, t.endpoint)
	}
	if !a.hurry {
		a.count++
	}
	if a.count > 0 && a.count == a.opts.MaxAttempts {
		return a.exhausted(snap, fmt.Sprintf("CallOptions.MaxAttempts is %d", a.opts.MaxAttempts))
	}
	return nil
}

// mayBeBack reports whether the server of an attempt that failed may answer
// another one at once: an established connection died, but not of silence.
func mayBeBack(t *try) bool {
	switch t.phase {
	case phaseDial, phaseHandshake, phaseReply:
		return false
	}
	return !errors.Is(t.err, transport.ErrKeepalive) && !errors.Is(t.err, errAttemptTimeout)
}

// exhausted is the error of a call that no further attempt is made for: nobody
// is left to ask, or stop says why.
func (a *attempts) exhausted(snap *balancer.Snapshot, stop string) *Error {
	a.stopped = stop
	if a.last != nil {
		e := *a.last
		if len(a.made) > 1 && e.Code == CodeUnavailable {
			e.Message = fmt.Sprintf("%d attempts failed, the last: %s", len(a.made), e.Message)
		}
		return a.finish(snap, &e)
	}
	e := &Error{Code: CodeUnavailable, Reason: ReasonNoInstance, Message: "no instance to call", Executed: ExecutedNo}
	switch {
	case a.opts.Instance != "":
		e.Message = fmt.Sprintf("no instance %q in the list", a.opts.Instance)
	case snap.Err != nil && snap.Counts.Listed == 0:
		e.Reason, e.Message, e.cause = ReasonRegistryUnreachable, "no list of instances yet", snap.Err
	}
	return a.finish(snap, e)
}

// finish adds the report to the call's error. What an earlier attempt may have
// executed, the call may have executed.
func (a *attempts) finish(snap *balancer.Snapshot, e *Error) *Error {
	for _, made := range a.made {
		if made.Executed != ExecutedNo && e.Executed == ExecutedNo {
			e.Executed = ExecutedMaybe
		}
	}
	e.Report = a.client.report(a.req.Method, snap, a.made)
	e.Report.Stopped = a.stopped
	if a.opts.Report != nil {
		*a.opts.Report = *e.Report
	}
	return e
}

func without(list, drop []*balancer.Endpoint) []*balancer.Endpoint {
	kept := list[:0]
	for _, e := range list {
		found := false
		for _, d := range drop {
			found = found || d == e
		}
		if !found {
			kept = append(kept, e)
		}
	}
	return kept
}
