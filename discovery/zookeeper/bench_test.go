// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zookeeper

import (
	"fmt"
	"testing"

	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/discovery/layout"
	"github.com/rollcall-rpc/rollcall/zk"
	"github.com/rollcall-rpc/rollcall/zk/zktest"
)

// populate writes members into a directory, many in one transaction, and
// returns a client that can write more.
func populate(b *testing.B, addr string, members int) *zk.Client {
	b.Helper()
	c := peer(b, addr)
	if err := c.EnsurePath(within(b), "/rpc"); err != nil {
		b.Fatal(err)
	}
	for written := 0; written < members; {
		var ops []zk.Op
		for ; written < members && len(ops) < 1000; written++ {
			data, err := layout.Encode(instance(1 + written))
			if err != nil {
				b.Fatal(err)
			}
			ops = append(ops, zk.CreateOp("/rpc/server", data, zk.ModePersistentSequential, nil))
		}
		if _, err := c.Multi(within(b), ops...); err != nil {
			b.Fatal(err)
		}
	}
	return c
}

// BenchmarkJoinAndLeave measures the time from the create of a node until every
// watcher has the list with it, and from the delete until the list without it:
// one of each is an iteration. Updates are not spaced, so that the latency is the
// list's own.
func BenchmarkJoinAndLeave(b *testing.B) {
	for _, members := range []int{10, 1000, 10_000} {
		b.Run(fmt.Sprintf("members=%d", members), func(b *testing.B) {
			server := zktest.Start(b)
			c := populate(b, server.Addr(), members)
			s := session(b, server.Addr(), func(o *Options) { o.MinUpdateInterval = -1 })
			sp := spectate(b, s, "/rpc")
			size := func(n int) func(discovery.Update) bool {
				return func(u discovery.Update) bool { return u.Source == discovery.SourceLive && len(u.Instances) == n }
			}
			sp.until("whole list", size(members))
			data, err := layout.Encode(instance(60_000))
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				path, err := c.Create(b.Context(), "/rpc/server", data, zk.ModePersistentSequential, nil)
				if err != nil {
					b.Fatal(err)
				}
				sp.until("join", size(members+1))
				if err := c.Delete(b.Context(), path, zk.AnyVersion); err != nil {
					b.Fatal(err)
				}
				sp.until("leave", size(members))
			}
		})
	}
}

// BenchmarkOrder measures the time from an order of an operator, which reads and
// writes the document, until a watcher has the list with it.
func BenchmarkOrder(b *testing.B) {
	for _, members := range []int{10, 10_000} {
		b.Run(fmt.Sprintf("members=%d", members), func(b *testing.B) {
			server := zktest.Start(b)
			populate(b, server.Addr(), members)
			s := session(b, server.Addr(), func(o *Options) { o.MinUpdateInterval = -1 })
			sp := spectate(b, s, "/rpc")
			sp.until("whole list", func(u discovery.Update) bool { return len(u.Instances) == members })
			operator := session(b, server.Addr(), private)
			b.ReportAllocs()
			for i := 1; b.Loop(); i++ {
				edit(b, operator, "/rpc", instance(7), &discovery.Override{Weight: &discovery.WeightOrder{Value: i % 100}})
				sp.until("order", func(u discovery.Update) bool { return u.Instances[6].Weight == i%100 })
			}
		})
	}
}

// BenchmarkFirstList measures a new session from Open to its first live list.
func BenchmarkFirstList(b *testing.B) {
	for _, members := range []int{10, 10_000} {
		b.Run(fmt.Sprintf("members=%d", members), func(b *testing.B) {
			server := zktest.Start(b)
			populate(b, server.Addr(), members)
			b.ReportAllocs()
			for b.Loop() {
				s := session(b, server.Addr(), private)
				spectate(b, s, "/rpc").source(discovery.SourceLive)
				if err := s.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkBuild measures the list after one join: one copy.
func BenchmarkBuild(b *testing.B) {
	const members = 10_000
	v := newView()
	add := func(i int) {
		in := instance(1 + i)
		in.Name, in.Revision = fmt.Sprintf("server%010d", i), int64(i)
		v.set(in, nil)
	}
	for i := range members {
		add(i)
	}
	v.build()
	b.ReportAllocs()
	for i := members; b.Loop(); i++ {
		add(i)
		v.build()
		v.remove(fmt.Sprintf("server%010d", i))
		v.build()
	}
}
