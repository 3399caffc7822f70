// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"context"
	"errors"
	"testing"

	"github.com/rollcall-rpc/rollcall"
)

// An admission sees what is known before the request is decoded, says who the
// peer is, and what it puts into the context reaches the handler.
func TestAdmissionSeesTheCall(t *testing.T) {
	seen := make(chan rollcall.CallInfo, 1)
	s := start(t, "", rollcall.ServerOptions{Admissions: []rollcall.Admission{
		func(ctx context.Context, call *rollcall.CallInfo) (context.Context, error) {
			if _, has := ctx.Deadline(); !has {
				return nil, errors.New("no deadline")
			}
			seen <- *call
			call.Peer.Identity = "ann"
			return context.WithValue(ctx, traceKey{}, "admitted"), nil
		},
		func(_ context.Context, call *rollcall.CallInfo) (context.Context, error) {
			if call.Peer.Identity != "ann" {
				return nil, errors.New("the first admission's word does not reach the second")
			}
			return nil, nil //nolint:nilnil // the context stays
		},
	}}, func(s *rollcall.Server) {
		rollcall.Handle(s, divide, func(ctx context.Context, _ *fraction) (*quotient, error) {
			info, _ := rollcall.InfoFromContext(ctx)
			server, _ := ctx.Value(traceKey{}).(string)
			return &quotient{Server: server + " " + info.Peer.Identity}, nil
		})
	})
	q, err := divide.CallWith(within(t), staticClient(t, s.addr), &fraction{}, rollcall.CallOptions{Metadata: rollcall.Metadata{"token": "x"}})
	if err != nil || q.Server != "admitted ann" {
		t.Errorf("got %v, %v, want the context and the identity in the handler", q, err)
	}
	call := <-seen
	if call.Method != divide.Name || call.Metadata["token"] != "x" || call.Size != len(`{"Num1":0,"Num2":0}`) || call.Peer.Addr == nil {
		t.Errorf("the admission saw %+v", call)
	}
	// The identity is the call's, not the connection's.
	if _, err := divide.Call(within(t), staticClient(t, s.addr), &fraction{}); err != nil {
		t.Error(err)
	}
	if call := <-seen; call.Peer.Identity != "" {
		t.Errorf("the peer is known as %q before its admission", call.Peer.Identity)
	}
}

// What is refused is not decoded, not executed, and says so.
func TestAdmissionRefuses(t *testing.T) {
	tests := []struct {
		name   string
		err    error // nil: it panics
		code   rollcall.Code
		reason string
		says   []string
	}{
		{"typed", rollcall.Errorf(rollcall.CodeUnauthenticated, "TOKEN", "the token has expired"), rollcall.CodeUnauthenticated, "TOKEN", []string{"the token has expired"}},
		{"plain", errors.New("not today"), rollcall.CodeUnknown, "", []string{"not today"}},
		{"panic", nil, rollcall.CodeInternal, rollcall.ReasonPanic, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t, "", rollcall.ServerOptions{Admissions: []rollcall.Admission{
				func(context.Context, *rollcall.CallInfo) (context.Context, error) {
					if tt.err == nil {
						panic("boom")
					}
					return nil, tt.err
				},
				func(context.Context, *rollcall.CallInfo) (context.Context, error) {
					t.Error("the next admission is asked after a refusal")
					return nil, nil //nolint:nilnil // the context stays
				},
			}}, func(s *rollcall.Server) {
				rollcall.Handle(s, divide, func(context.Context, *fraction) (*quotient, error) {
					t.Error("the handler is begun")
					return nil, nil
				})
			})
			c := staticClient(t, s.addr)
			_, err := c.Invoke(within(t), divide.Name, []byte("no JSON"), rollcall.CallOptions{Codec: rollcall.JSON.ID()})
			wantError(t, err, tt.code, tt.reason, rollcall.ExecutedNo, tt.says...)
			_, err = c.Invoke(within(t), "Unknown", nil, rollcall.CallOptions{})
			wantError(t, err, rollcall.CodeUnimplemented, rollcall.ReasonUnknownMethod, rollcall.ExecutedNo)
		})
	}
}
