// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zk_test

import (
	"testing"

	"github.com/rollcall-rpc/rollcall/zk"
	"github.com/rollcall-rpc/rollcall/zk/zktest"
)

func benchClient(b *testing.B) *zk.Client {
	b.Helper()
	c, err := zk.New([]string{zktest.Start(b).Addr()}, zk.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() })
	if err := c.Connected(b.Context()); err != nil {
		b.Fatal(err)
	}
	return c
}

// One caller, each Get waits for the one before.
func BenchmarkGet(b *testing.B) {
	c := benchClient(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := c.Get(b.Context(), "/"); err != nil {
			b.Fatal(err)
		}
	}
}

// 64 callers per processor share the connection.
func BenchmarkGetPipelined(b *testing.B) {
	c := benchClient(b)
	b.ReportAllocs()
	b.SetParallelism(64)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, _, err := c.Get(b.Context(), "/"); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
