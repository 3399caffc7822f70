// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"context"
	"time"

	"github.com/rollcall-rpc/rollcall/balancer"
	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/members"
)

// ClientEvents tell what a [Client] does, for metrics, traces, access logs and
// pages. Any function may be nil, which costs nothing. Functions are called on the
// goroutine that does the work and must not block, nor keep the CallInfo's
// metadata to change it; those of one call are called one after the other, except
// that the attempts of a hedged call overlap. A panic of theirs is logged and goes no
// further.
type ClientEvents struct {
	// CallBegin is told of each call before its interceptors. The context that
	// it returns is the call's from then on; nil: ctx. It may set metadata.
	CallBegin func(ctx context.Context, call *CallInfo) context.Context

	// CallEnd is told once for each CallBegin, with the context of that.
	CallEnd func(ctx context.Context, end ClientCallEnd)

	// AttemptBegin is told of each attempt of a call. The context that it returns
	// is the attempt's; nil: ctx. Of the Attempt it sees Addr, Instance and
	// Hedge.
	AttemptBegin func(ctx context.Context, a AttemptInfo) context.Context

	// AttemptEnd is told once for each AttemptBegin, with the context of that.
	AttemptEnd func(ctx context.Context, a AttemptInfo)

	// RetryDenied is told that a call was not tried again, or has to wait, since
	// the client's retry budget is used up.
	RetryDenied func(ctx context.Context, call *CallInfo)

	// ListChanged is told of each list of instances, and of each change of how
	// it is known, before it counts. Calls do not overlap.
	ListChanged func(u discovery.Update)

	// InstanceChanged is told that an instance came, changed its state, or was
	// forgotten. Calls do not overlap; a state that passed in a moment may be
	// left out.
	InstanceChanged func(c InstanceChange)
}

// A ClientCallEnd is how a call ended on the client.
type ClientCallEnd struct {
	Call      *CallInfo
	Code      Code   // CodeOK: it was answered with a reply
	Err       *Error // nil: likewise
	Elapsed   time.Duration
	ReplySize int // bytes of the encoded reply

	seen *seenCall
}

// Report tells on what the call was based, what was tried and who answered. It is
// made when it is asked for: ask while CallEnd runs.
func (e *ClientCallEnd) Report() Report {
	if e.seen == nil { // an end of somebody's own making
		return Report{}
	}
	return e.seen.report()
}

// An AttemptInfo is an attempt of a call.
type AttemptInfo struct {
	Call     *CallInfo
	Instance *discovery.Instance // never changed
	Attempt
}

// An InstanceChange tells what happened to one instance in a client's eyes.
type InstanceChange struct {
	Instance discovery.Instance
	From, To balancer.State     // 0 as From: it was not known before; as To: it is forgotten
	Cause    *balancer.Ejection // why, where To is StateEjected; else nil
}

// TeeClientEvents returns events that tell a and then b. The context that a
// returns is given to b; each is told of the end with the context of both.
func TeeClientEvents(a, b ClientEvents) ClientEvents {
	return ClientEvents{
		CallBegin:       teeBegin(a.CallBegin, b.CallBegin),
		CallEnd:         teeEnd(a.CallEnd, b.CallEnd),
		AttemptBegin:    teeBegin(a.AttemptBegin, b.AttemptBegin),
		AttemptEnd:      teeEnd(a.AttemptEnd, b.AttemptEnd),
		RetryDenied:     teeEnd(a.RetryDenied, b.RetryDenied),
		ListChanged:     tee(a.ListChanged, b.ListChanged),
		InstanceChanged: tee(a.InstanceChanged, b.InstanceChanged),
	}
}

// listUpdate returns what a Set is to tell of its lists; nil: nothing.
func (e *ClientEvents) listUpdate() func(*discovery.Update) {
	if e.ListChanged == nil {
		return nil
	}
	return func(u *discovery.Update) { e.ListChanged(*u) }
}

// onChange returns what a Set is to tell of its snapshots; nil: nothing.
func (e *ClientEvents) onChange() func(from, to *balancer.Snapshot) {
	if e.InstanceChanged == nil {
		return nil
	}
	return func(from, to *balancer.Snapshot) {
		for _, c := range members.Changes(from, to) {
			e.InstanceChanged(InstanceChange{Instance: c.Endpoint.Instance, From: c.From, To: c.To, Cause: c.Ejection})
		}
	}
}
