// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !race

package rollcall_test

import (
	"context"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/rollcall-rpc/rollcall"
)

// What the server notes of a call is one object, and the client needs none where the
// caller has a buffer for the reply. Call has a reply to give to the caller, and its
// bytes.
func TestPlainCallsAllocateLittle(t *testing.T) {
	allocateAtMost(t, rollcall.ClientOptions{}, 1, 3)
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
	}, 2, 4)
}

// Encoded protobuf messages lie in memory that is used again: beside the call's own
// object each side allocates the message that it decodes, and its text.
func TestProtobufCallsAllocateMessages(t *testing.T) {
	echo := rollcall.Method[wrapperspb.StringValue, wrapperspb.StringValue]{Name: "Echo"}
	s := start(t, "", rollcall.ServerOptions{}, func(s *rollcall.Server) {
		rollcall.Handle(s, echo, func(_ context.Context, in *wrapperspb.StringValue) (*wrapperspb.StringValue, error) { return in, nil })
	})
	c := staticClient(t, s.addr)
	in := wrapperspb.String(strings.Repeat("x", 1000))
	allocates(t, "Call", 5, func() error {
		_, err := echo.Call(context.Background(), c, in)
		return err
	})
}

// allocateAtMost fails t where Invoke or Call with a client of these options allocates
// more, on both sides together.
func allocateAtMost(t *testing.T, with rollcall.ClientOptions, invoke, call float64) {
	t.Helper()
	echo := rollcall.Method[[]byte, []byte]{Name: "Echo"}
	s := start(t, "", rollcall.ServerOptions{}, func(s *rollcall.Server) {
		rollcall.Handle(s, echo, func(_ context.Context, in *[]byte) (*[]byte, error) { return in, nil })
	})
	c := clientAt(t, s.addr, with)
	body := make([]byte, 100)
	opts := rollcall.CallOptions{ReplyBuffer: make([]byte, 0, 1000)}
	allocates(t, "Invoke into a buffer", invoke, func() error {
		_, err := c.Invoke(context.Background(), "Echo", body, opts)
		return err
	})
	allocates(t, "Call", call, func() error {
		_, err := echo.Call(context.Background(), c, &body)
		return err
	})
}

func allocates(t *testing.T, name string, most float64, call func() error) {
	t.Helper()
	only(t, "other networks allocate themselves", "tcp")
	got := testing.AllocsPerRun(1000, func() {
		if err := call(); err != nil {
			t.Fatal(err)
		}
	})
	if got > most {
		t.Errorf("%s: %v allocations, want at most %v", name, got, most)
	}
}
