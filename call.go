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
	"github.com/rollcall-rpc/rollcall/internal/transport"
)

// CallOptions are what one call can have of its own. The zero value is the
// default.
type CallOptions struct {
	Codec        uint8         // how the request is written: the ID of a Codec; 0: raw
	Idempotent   bool          // running the handler twice does no harm
	Timeout      time.Duration // bounds the call beside ctx; 0: no further bound
	Metadata     Metadata      // sent with the request
	WaitForReady bool          // wait for an instance where there is none, until ctx ends

	// Instance is the only instance that may be called, as "host:port" or as
	// the name of its entry. Empty: any.
	Instance string

	// ReplyBuffer is memory for the reply of [Client.Invoke] and of a []byte
	// method, from its beginning on; a reply that does not fit gets new memory.
	// Callers that make many calls save the garbage collector work with it. Nil:
	// every reply gets memory of its own.
	ReplyBuffer []byte

	// ReplyMetadata receives the reply's metadata where it is not nil.
	ReplyMetadata *Metadata

	// Answered receives the instance that answered, with a reply or with an
	// error of its handler, where it is not nil.
	Answered *discovery.Instance
}

// The phases of an attempt that are not the transport's.
const (
	phaseDial  = "dial"
	phaseReply = "reply"
)

// Invoke calls a method with bytes. The reply belongs to the caller. Every error
// is an [*Error].
func (c *Client) Invoke(ctx context.Context, method string, request []byte, opts CallOptions) ([]byte, error) {
	reply, err := c.call(ctx, method, request, opts)
	return takeBody(&reply, opts.ReplyBuffer), err
}

// takeBody makes the reply's body the caller's: a copy in buffer where the caller
// gave one, else the body itself.
func takeBody(reply *transport.Reply, buffer []byte) []byte {
	if buffer == nil {
		return reply.Body
	}
	body := append(buffer[:0], reply.Body...)
	reply.Release()
	return body
}

// call makes the attempts of a call until one answers, or none is left.
func (c *Client) call(ctx context.Context, method string, body []byte, opts CallOptions) (transport.Reply, error) {
	if err := checkMethodName(method); err != nil {
		return transport.Reply{}, &Error{Code: CodeInvalidArgument, Reason: ReasonBadRequest, Message: err.Error(), Executed: ExecutedNo, cause: err}
	}
	if opts.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, opts.Timeout)
		defer cancel()
	}
	a := attempts{client: c, opts: opts, req: transport.Request{
		Method: method, Codec: opts.Codec, Metadata: opts.Metadata, Body: body,
	}}
	for {
		snap, begun := c.snapshot.Load(), time.Now()
		e := a.pick(snap, begun)
		if e == nil {
			if err := a.wait(ctx, snap); err != nil {
				return transport.Reply{}, err
			}
			continue
		}
		e.Start(begun)
		reply, phase, err := peerOf(e).call(ctx, e, &a.req)
		ended := time.Now()
		if e.Finish(ended, ended.Sub(begun), outcome(ctx, err)) {
			c.wake()
		}
		if err == nil {
			a.answered(e)
			if opts.ReplyMetadata != nil {
				*opts.ReplyMetadata = reply.Metadata
			}
			return reply, nil
		}
		if err := a.failed(ctx, snap, e, phase, ended.Sub(begun), err); err != nil {
			return transport.Reply{}, err
		}
	}
}

// attempts is the state of a call over its tries.
type attempts struct {
	client *Client
	opts   CallOptions
	req    transport.Request

	made   []Attempt
	tried  []*balancer.Endpoint // not to be picked again in this round
	again  []*balancer.Endpoint // of those, the ones whose connection died: they may accept a new one
	last   *Error               // what the last attempt met
	rounds int
}

func (a *attempts) answered(e *balancer.Endpoint) {
	if a.opts.Answered != nil {
		*a.opts.Answered = e.Instance
	}
}

// pick returns the next instance to try; nil: there is none.
func (a *attempts) pick(snap *balancer.Snapshot, now time.Time) *balancer.Endpoint {
	if a.opts.Instance == "" {
		return snap.Picker.Pick(balancer.PickInfo{Tried: a.tried, Now: now})
	}
	for _, s := range snap.Endpoints {
		if s.Endpoint.Instance.Name != a.opts.Instance && s.Endpoint.Instance.Addr() != a.opts.Instance {
			continue
		}
		for _, e := range a.tried {
			if e == s.Endpoint {
				return nil
			}
		}
		return s.Endpoint
	}
	return nil
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
	if current != snap && len(a.made) == 0 {
		return nil
	}
	unknown := snap.Source <= discovery.SourceNone && snap.Err == nil // the first list is on its way
	if !unknown && !a.opts.WaitForReady {
		return a.exhausted(snap)
	}
	select {
	case <-changed:
		a.tried, a.again, a.rounds = a.tried[:0], a.again[:0], 0
		return nil
	case <-ctx.Done():
		return a.finish(snap, contextError(ctx, ExecutedNo))
	case <-a.client.ctx.Done():
		return a.finish(snap, closedError())
	}
}

// failed notes an attempt that failed and returns the call's error, or nil
// where another instance may be tried.
func (a *attempts) failed(ctx context.Context, snap *balancer.Snapshot, e *balancer.Endpoint, phase string, elapsed time.Duration, err error) error {
	failure := attemptError(ctx, err)
	if failure.Executed == ExecutedYes {
		a.answered(e)
	}
	var bare *transport.CallError
	if errors.As(err, &bare) {
		err = bare.Err // the attempt tells the phase, and what is known of the execution
	}
	a.made = append(a.made, Attempt{
		Addr: e.Instance.Addr(), Instance: e.Instance.Name, Phase: phase,
		Elapsed: elapsed, Executed: failure.Executed, Err: err,
	})
	a.last = failure
	switch {
	case a.client.ctx.Err() != nil && failure.Executed != ExecutedYes:
		closed := closedError()
		closed.Executed = failure.Executed
		return a.finish(snap, closed)
	case ctx.Err() != nil || !retryable(failure, a.opts.Idempotent):
		return a.finish(snap, failure)
	}
	a.tried = append(a.tried, e)
	if phase != phaseDial && phase != phaseReply {
		a.again = append(a.again, e)
	}
	return nil
}

// outcome says what an attempt showed of the instance.
func outcome(ctx context.Context, err error) balancer.Outcome {
	if err == nil {
		return balancer.OutcomeAnswered
	}
	switch e := attemptError(ctx, err); {
	case e.Code == CodeUnavailable && e.Executed != ExecutedYes && e.Reason == ReasonConnection:
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
		return e.Code == CodeUnavailable || e.Code == CodeUnimplemented
	default: // a handler that answers that it is unavailable is no better than one that does not answer
		return idempotent && e.Code == CodeUnavailable
	}
}

// attemptError turns what an attempt met into an Error.
func attemptError(ctx context.Context, err error) *Error {
	var remote *transport.RemoteError
	if errors.As(err, &remote) {
		e := &Error{Code: remote.Code, Reason: remote.Reason, Message: remote.Message, Details: remote.Details, Executed: remote.Executed}
		switch e.Code { // the server's clock may be a little ahead of ours
		case CodeDeadlineExceeded:
			e.cause = context.DeadlineExceeded
		case CodeCanceled:
			e.cause = context.Canceled
		}
		return e
	}
	var typed *Error
	if errors.As(err, &typed) { // of a dialect; the call's report goes to a copy
		e := *typed
		return &e
	}
	executed := ExecutedMaybe
	var failed *transport.CallError
	if errors.As(err, &failed) {
		executed, err = failed.Executed, failed.Err
	}
	var limit *frame.LimitError
	switch {
	case ctx.Err() != nil:
		return contextError(ctx, executed)
	case errors.As(err, &limit):
		reason := ReasonMessageTooLarge
		if strings.HasPrefix(limit.Field, "metadata") { // all of them, or one key or value
			reason = ReasonMetadataTooLarge
		}
		return &Error{Code: CodeResourceExhausted, Reason: reason, Message: err.Error(), Executed: executed, cause: err}
	}
	return &Error{Code: CodeUnavailable, Reason: ReasonConnection, Message: err.Error(), Executed: executed, cause: err}
}

func closedError() *Error {
	return &Error{Code: CodeCanceled, Reason: ReasonClosed, Message: "the client is closed", Executed: ExecutedNo, cause: errClientClosed}
}

// exhausted is the error of a call that nobody is left to try for.
func (a *attempts) exhausted(snap *balancer.Snapshot) *Error {
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
