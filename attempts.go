// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/rollcall-rpc/rollcall/balancer"
	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/internal/transport"
)

// attempts is the state of a call over its attempts: whom it has asked, and on
// what terms the next one is made.
//
//	next   what was before                  whom to ask                            charged
//	first  nothing                          the balancer's choice                  no
//	moved  the last attempt was given up    an instance that is connected, else    no
//	       unsent: its connection was slow  the balancer's choice
//	       to come, or full
//	here   no connection could be opened,   an instance that is connected          no
//	       for want of something here
//	spared an attempt was refused, and      the balancer's choice                  no
//	       no work was done for it: at the
//	       dial, for the method is not
//	       there, or for BUSY
//	retry  an attempt failed                the balancer's choice                  yes
//
// "Charged" is to the client's retry budget, for retries are work; of those that are
// spared a call has maxSpared, after which they are charged like the others. An attempt that was given up unsent,
// or for want of something here, is no load for anybody, so it does not count against MaxAttempts either.
//
// Nobody is asked twice in a round, but for one whose connection, of a dialect, may
// have ended of its age: once in a call such an end counts for nothing. A round ends when nobody is left to ask. The
// second one asks those again whose established connection died, or was not there
// yet: they may have been restarted, and there is nobody else. After that the call
// fails, or waits (see wait) and begins with a first round when there is news.
type attempts struct {
	service *service
	seen    *seenCall // what others see of the call; nil: nobody looks
	opts    CallOptions
	req     transport.Request

	next      terms
	lastRound bool                 // the round is the second one
	redialed  bool                 // an instance was asked again after its connection had ended of age
	tried     []*balancer.Endpoint // not to be asked again in this round
	again     []*balancer.Endpoint // of those, the ones to ask in a second round

	made     []Attempt           // those that failed, for the report
	sent     int                 // of those, the ones that count against MaxAttempts
	spared   int                 // of those, the ones that were not charged
	last     *Error              // what the last one met
	answered *discovery.Instance // who answered with an error of its handler; nil: nobody
	stopped  string              // why no further attempt was made, where somebody was left to ask
}

// The terms of the next attempt: the table above.
type terms uint8

const (
	termsFirst terms = iota
	termsMoved
	termsHere
	termsSpared
	termsRetry
)

// maxSpared bounds what a call may ask without being charged, and maxBusy that once
// somebody was busy: where all are, calls must not become more for it.
const (
	maxSpared = 20
	maxBusy   = 3
)

// first returns whom a call asks first; nil: there is nobody, or the call wants more
// than a single attempt by the balancer's choice.
func (s *service) first(snap *balancer.Snapshot, now time.Time, method string, opts *CallOptions) *balancer.Endpoint {
	if opts.Instance != "" || (opts.Hedge && opts.Idempotent) {
		return nil
	}
	return snap.Picker.Pick(balancer.PickInfo{Method: method, Hash: opts.Hash, Now: now})
}

// run makes the attempts of a call that is not answered by the first; its endpoint
// is nil where it was not made.
func (a *attempts) run(ctx context.Context, snap *balancer.Snapshot, first *attempt) (transport.Reply, *balancer.Endpoint, error) {
	if first.endpoint != nil {
		if failure := a.failed(ctx, snap, first); failure != nil {
			return transport.Reply{}, nil, failure
		}
	}
	for {
		snap, now := a.service.members.Snapshot(), time.Now()
		e := a.pick(snap, now)
		if e == nil {
			if err := a.wait(ctx, snap); err != nil {
				return transport.Reply{}, nil, err
			}
			continue
		}
		granted, err := a.charge(ctx, snap, now)
		if err != nil {
			return transport.Reply{}, nil, err
		}
		if !granted {
			continue
		}
		t, failure := a.attempt(ctx, snap, e, now)
		if failure != nil {
			return transport.Reply{}, nil, failure
		}
		if t.err == nil {
			a.service.succeeded(a.seen, a.opts.Report, a.req.Method, snap, a.made, &t)
			return t.reply, t.endpoint, nil
		}
	}
}

// attempt makes an attempt on e, with a hedge where that is wanted. Its error is
// the call's; an attempt that failed without one may be followed by another.
func (a *attempts) attempt(ctx context.Context, snap *balancer.Snapshot, e *balancer.Endpoint, now time.Time) (attempt, *Error) {
	if a.opts.Hedge && a.opts.Idempotent && a.opts.Instance == "" {
		return a.hedged(ctx, snap, e, now)
	}
	t := a.service.attempt(ctx, a.seen, e, now, &a.req, a.opts.AttemptTimeout, false, func() bool { return a.connected(e) != nil })
	if t.err != nil {
		return t, a.failed(ctx, snap, &t)
	}
	return t, nil
}

// succeeded tells whoever wants to know how the call went: those who see it, and who
// gave room for a report.
func (s *service) succeeded(seen *seenCall, report *Report, method string, snap *balancer.Snapshot, made []Attempt, t *attempt) {
	if seen != nil || report != nil { // most calls need no room for a Report on their stack
		s.tellSucceeded(seen, report, method, snap, made, t)
	}
}

//go:noinline
func (s *service) tellSucceeded(seen *seenCall, report *Report, method string, snap *balancer.Snapshot, made []Attempt, t *attempt) {
	if seen != nil {
		seen.Instance, seen.ReplyMetadata, seen.replySize = &t.endpoint.Instance, t.reply.Metadata, int32(len(t.reply.Body)) //nolint:gosec // at most frame.MaxMaxMessage
		seen.snap, seen.made = snap, made
	}
	if report != nil {
		*report = s.report(method, snap, made)
		report.Answered, report.Metadata = t.endpoint.Instance, t.reply.Metadata
	}
}

// pick returns the next instance to try; nil: there is none.
func (a *attempts) pick(snap *balancer.Snapshot, now time.Time) *balancer.Endpoint {
	switch a.next {
	case termsMoved:
		if e := a.connected(nil); e != nil {
			return e
		}
	case termsHere:
		return a.atHand(snap)
	case termsFirst, termsSpared, termsRetry: // the balancer's choice
	}
	if a.opts.Instance == "" {
		return snap.Picker.Pick(balancer.PickInfo{Method: a.req.Method, Tried: a.tried, Hash: a.opts.Hash, Now: now})
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
	return a.service.connected(e, a.tried, a.req.Method)
}

// connected is attempts.connected for a call that may go to any instance that is not
// known to lack its method.
func (s *service) connected(e *balancer.Endpoint, tried []*balancer.Endpoint, method string) *balancer.Endpoint {
	list := s.members.Snapshot().Endpoints
	for i, start := 0, rand.IntN(len(list)+1); i < len(list); i++ { //nolint:gosec // it spreads calls, and keeps no secret
		s := list[(start+i)%len(list)]
		if s.State == balancer.StateUsable && s.Endpoint != e && peerOf(s.Endpoint).atHand() &&
			!slices.Contains(tried, s.Endpoint) && !s.Endpoint.Lacks(method) {
			return s.Endpoint
		}
	}
	return nil
}

// atHand returns an instance that is not tried yet and needs no dial, also one that is
// called only where nobody else is; nil: there is none.
func (a *attempts) atHand(snap *balancer.Snapshot) *balancer.Endpoint {
	if e := a.connected(nil); e != nil || a.opts.Instance != "" {
		return e
	}
	for _, s := range snap.Endpoints {
		if lastResort(s) && !slices.Contains(a.tried, s.Endpoint) {
			return s.Endpoint
		}
	}
	return nil
}

// charge takes a retry from the client's budget. Without budget the call fails, or
// waits where it waits anyway: false then says to look again whom to ask.
func (a *attempts) charge(ctx context.Context, snap *balancer.Snapshot, now time.Time) (granted bool, err error) {
	if a.next != termsRetry || a.service.budget.take(now) {
		return true, nil
	}
	if a.seen != nil && a.service.events.RetryDenied != nil {
		a.service.events.RetryDenied(ctx, &a.seen.CallInfo)
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
	case <-a.service.group.ctx.Done():
		return false, a.finish(snap, closedError())
	}
}

// wait is called when nobody is left to try. It returns nil when it is worth
// trying again, else the call's error.
func (a *attempts) wait(ctx context.Context, snap *balancer.Snapshot) error {
	if a.service.group.ctx.Err() != nil {
		return a.finish(snap, closedError())
	}
	if !a.lastRound && len(a.again) > 0 {
		a.lastRound = true
		a.tried = without(a.tried, a.again)
		return nil
	}
	current, changed := a.service.members.Current()
	if current != snap {
		return nil // there is news already
	}
	unknown := snap.Source <= discovery.SourceNone && snap.Err == nil // the first list is on its way
	if !unknown && (!a.opts.WaitForReady || a.refused()) {
		return a.exhausted(snap, "")
	}
	again := another(snap)
	if a.next == termsHere {
		again = time.After(time.Second / RetriesPerSecond) // nothing tells of a descriptor that is free
		a.next = termsSpared
	}
	select {
	case <-changed:
	case <-again:
	case <-ctx.Done():
		return a.finish(snap, contextError(ctx, ExecutedNo))
	case <-a.service.group.ctx.Done():
		return a.finish(snap, closedError())
	}
	a.tried, a.again, a.lastRound = a.tried[:0], a.again[:0], false
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
		return peerOf(s.Endpoint).atHand()
	default: // it is called first, or never
		return false
	}
}

// refused reports whether the last attempt shows that an instance is there, and
// will not have the call.
func (a *attempts) refused() bool {
	return a.last != nil && (a.last.Executed == ExecutedYes || a.last.Code == CodeUnimplemented)
}

// note notes an attempt that failed and returns its error.
func (a *attempts) note(ctx context.Context, t *attempt) *Error {
	failure := t.failure
	if failure.Reason != ReasonBusy { // what it was may depend on whether the call has ended too
		failure = attemptError(ctx, t.err)
	}
	if failure.Code == CodeDeadlineExceeded && a.opts.AttemptTimeout > 0 && ctx.Err() == nil && t.elapsed >= a.opts.AttemptTimeout {
		failure.Reason = ReasonAttemptTimeout // the server was a moment faster to notice
	}
	in := &t.endpoint.Instance
	a.made = append(a.made, Attempt{
		Addr: in.Addr(), Instance: in.Name, Phase: t.phase, Hedge: t.hedge,
		Elapsed: t.elapsed, Executed: failure.Executed, Code: failure.Code, Err: t.cause(),
	})
	return failure
}

// failed notes an attempt that failed and returns the call's error, or nil
// where another instance may be tried.
func (a *attempts) failed(ctx context.Context, snap *balancer.Snapshot, t *attempt) *Error {
	failure := a.note(ctx, t)
	if failure.Executed == ExecutedYes {
		a.answered = &t.endpoint.Instance
	}
	a.last = failure
	switch {
	case a.service.group.ctx.Err() != nil && failure.Executed != ExecutedYes:
		closed := closedError()
		closed.Executed = failure.Executed
		return a.finish(snap, closed)
	case ctx.Err() != nil || !retryable(failure, a.opts.Idempotent):
		return a.finish(snap, failure)
	}
	redial := t.aged() && !a.redialed
	if redial { // nothing speaks against the instance, which has closed what was idle
		a.redialed = true
	} else {
		a.tried = append(a.tried, t.endpoint)
	}
	if failure.Reason == ReasonUnknownMethod && failure.Executed == ExecutedNo {
		a.service.members.Lacks(t.endpoint, a.req.Method)
	}
	own := isOwnError(t.err)
	switch {
	case own != nil && (own.general() || a.atHand(snap) != nil):
		a.next = termsHere
	case t.unsent():
		a.next = termsMoved
	case t.spared(failure) && a.spared < maxSpared && (failure.Reason != ReasonBusy || a.spared < maxBusy):
		a.next = termsSpared
		a.spared++
		a.sent++
	default:
		a.next = termsRetry
		a.sent++
	}
	if !redial && (t.unsent() || t.mayBeBack()) {
		a.again = append(a.again, t.endpoint)
	}
	if a.sent > 0 && a.sent == a.opts.MaxAttempts {
		return a.exhausted(snap, fmt.Sprintf("CallOptions.MaxAttempts is %d", a.opts.MaxAttempts))
	}
	return nil
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
	report := a.service.report(a.req.Method, snap, a.made)
	report.Stopped = a.stopped
	if a.answered != nil {
		report.Answered = *a.answered
	}
	e.Report = &report
	if a.opts.Report != nil {
		*a.opts.Report = report
	}
	if s := a.seen; s != nil {
		s.Instance, s.snap, s.made = a.answered, snap, a.made
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
