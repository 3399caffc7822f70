// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !race

package rollcall_test

import (
	"context"
	"testing"

	"github.com/rollcall-rpc/rollcall"
)

// Where no interceptors, events or defaults are set a call allocates nothing for
// them. The numbers are those of both sides together, and were measured before there
// were any.
func TestPlainCallsAllocateNoMore(t *testing.T) {
	allocateAtMost(t, rollcall.ClientOptions{}, 7, 9)
}

// What the client notes of a call that somebody sees is one object.
func TestSeenCallsAllocateOneObjectMore(t *testing.T) {
	allocateAtMost(t, rollcall.ClientOptions{
		Interceptors: []rollcall.Interceptor{around(func(ctx context.Context, call *rollcall.CallInfo, request any, next rollcall.Handler) (any, error) {
			return next(ctx, call, request)
		})},
		Events: rollcall.ClientEvents{
			CallBegin: func(ctx context.Context, _ *rollcall.CallInfo) context.Context { return ctx },
			CallEnd:   func(context.Context, rollcall.ClientCallEnd) {},
		},
	}, 8, 10)
}

// allocateAtMost fails t where Invoke or Call with a client of these options allocates
// more.
func allocateAtMost(t *testing.T, with rollcall.ClientOptions, invoke, call float64) {
	t.Helper()
	c := intercepted(t, with)
	body := make([]byte, 100)
	opts := rollcall.CallOptions{ReplyBuffer: make([]byte, 0, 1000)}
	echo := rollcall.Method[[]byte, []byte]{Name: "Echo"}
	for _, tt := range []struct {
		name string
		most float64
		call func() error
	}{
		{"Invoke into a buffer", invoke, func() error {
			_, err := c.Invoke(t.Context(), "Echo", body, opts)
			return err
		}},
		{"Call", call, func() error {
			_, err := echo.Call(t.Context(), c, &body)
			return err
		}},
	} {
		got := testing.AllocsPerRun(1000, func() {
			if err := tt.call(); err != nil {
				t.Fatal(err)
			}
		})
		if got > tt.most {
			t.Errorf("%s: %v allocations, want at most %v", tt.name, got, tt.most)
		}
	}
}
