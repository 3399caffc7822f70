// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"context"
	"fmt"

	"github.com/rollcall-rpc/rollcall/internal/transport"
)

// An Admission decides whether a call is let in, before its request is decoded:
// it sees the method, the metadata, the size, the peer, and the deadline in ctx.
// It may set call.Peer.Identity, and return a context derived from ctx for what
// comes after it; nil stands for ctx. It is called from many goroutines at once,
// for every method that is handled here.
//
// An error refuses the call: it reaches the caller like a handler's, but says
// that nothing was executed, so a call that is refused with CodeUnavailable goes
// to another instance. A panic refuses with CodeInternal, ReasonPanic.
type Admission func(ctx context.Context, call *CallInfo) (context.Context, error)

// admit asks the admissions in order; the first error refuses.
func (s *Server) admit(ctx context.Context, call *CallInfo) (context.Context, *transport.RemoteError) {
	for _, admission := range s.opts.Admissions {
		derived, err := admission(ctx, call)
		if err != nil {
			refusal := handlerError(err)
			refusal.Executed = ExecutedNo
			return ctx, refusal
		}
		if derived != nil {
			ctx = derived //nolint:fatcontext // as many as there are admissions
		}
	}
	return ctx, nil
}

// checkAdmissions reports one that is nil.
func checkAdmissions(admissions []Admission) error {
	for i, a := range admissions {
		if a == nil {
			return fmt.Errorf("rollcall: ServerOptions.Admissions[%d] is nil: give a function, or leave it out", i)
		}
	}
	return nil
}
