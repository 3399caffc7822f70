// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/rollcall-rpc/rollcall"
)

func BenchmarkInvoke(b *testing.B) {
	benchmarkInvoke(b, rollcall.ServerOptions{}, rollcall.ClientOptions{})
}

// BenchmarkInvokeDoors has on each side one of what a call can pass, and each does
// nothing.
func BenchmarkInvokeDoors(b *testing.B) {
	passOn := func(next rollcall.Handler) rollcall.Handler {
		return func(ctx context.Context, call *rollcall.CallInfo, request any) (any, error) {
			return next(ctx, call, request)
		}
	}
	begin := func(ctx context.Context, _ *rollcall.CallInfo) context.Context { return ctx }
	benchmarkInvoke(b, rollcall.ServerOptions{
		Admissions:   []rollcall.Admission{func(ctx context.Context, _ *rollcall.CallInfo) (context.Context, error) { return ctx, nil }},
		Interceptors: []rollcall.Interceptor{passOn},
		Events:       rollcall.ServerEvents{CallBegin: begin, CallEnd: func(context.Context, rollcall.ServerCallEnd) {}},
	}, rollcall.ClientOptions{
		Interceptors: []rollcall.Interceptor{passOn},
		Events:       rollcall.ClientEvents{CallBegin: begin, CallEnd: func(context.Context, rollcall.ClientCallEnd) {}},
	})
}

func benchmarkInvoke(b *testing.B, server rollcall.ServerOptions, client rollcall.ClientOptions) {
	b.Helper()
	echo := rollcall.Method[[]byte, []byte]{Name: "Echo", Idempotent: true}
	s := start(b, "", server, func(s *rollcall.Server) {
		rollcall.Handle(s, echo, func(_ context.Context, in *[]byte) (*[]byte, error) { return in, nil })
	})
	c, err := rollcall.NewClient("static://"+s.addr, client)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() })
	body := bytes.Repeat([]byte{7}, 1024)
	b.Run("alone", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.Invoke(context.Background(), "Echo", body, rollcall.CallOptions{Idempotent: true}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("alone, buffer reused", func(b *testing.B) {
		b.ReportAllocs()
		opts := rollcall.CallOptions{ReplyBuffer: []byte{}}
		for b.Loop() {
			reply, err := c.Invoke(context.Background(), "Echo", body, opts)
			if err != nil {
				b.Fatal(err)
			}
			opts.ReplyBuffer = reply
		}
	})
	b.Run("100 callers", func(b *testing.B) {
		b.ReportAllocs()
		b.SetParallelism(50)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := c.Invoke(context.Background(), "Echo", body, rollcall.CallOptions{Idempotent: true}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	})
}
