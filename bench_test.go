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
	echo := rollcall.Method[[]byte, []byte]{Name: "Echo", Idempotent: true}
	s := start(b, "", rollcall.ServerOptions{}, func(s *rollcall.Server) {
		rollcall.Handle(s, echo, func(_ context.Context, in *[]byte) (*[]byte, error) { return in, nil })
	})
	c := staticClient(b, s.addr)
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
