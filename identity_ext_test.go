// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"context"
	"testing"

	"github.com/rollcall-rpc/rollcall"
)

// A handler asks who calls, in a server and where a test runs it by itself.
func TestIdentity(t *testing.T) {
	handler := func(ctx context.Context, _ *fraction) (*quotient, error) {
		return &quotient{Server: rollcall.Identity(ctx)}, nil
	}
	s := start(t, "", rollcall.ServerOptions{Admissions: []rollcall.Admission{
		func(_ context.Context, call *rollcall.CallInfo) (context.Context, error) {
			call.Peer.Identity = call.Metadata["who"]
			return nil, nil //nolint:nilnil // the context stays
		},
	}}, func(s *rollcall.Server) { rollcall.Handle(s, divide, handler) })
	c := staticClient(t, s.addr)
	for _, who := range []string{"ann", ""} {
		q, err := divide.CallWith(within(t), c, &fraction{}, rollcall.CallOptions{Metadata: rollcall.Metadata{"who": who}})
		if err != nil || q.Server != who {
			t.Errorf("got %v, %v, want %q", q, err, who)
		}
		ctx := rollcall.ContextWithInfo(t.Context(), &rollcall.CallInfo{Peer: rollcall.Peer{Identity: who}})
		if q, err := handler(ctx, nil); err != nil || q.Server != who {
			t.Errorf("by itself: got %v, %v, want %q", q, err, who)
		}
	}
	if got := rollcall.Identity(t.Context()); got != "" {
		t.Errorf("without a call: got %q", got)
	}
}
