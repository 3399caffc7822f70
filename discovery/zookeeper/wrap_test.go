// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zookeeper

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/zk"
	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zktest"
)

// wrapped opens a session whose registry is wrapped before it is used.
func wrapped(t testing.TB, addr string, wrap func(registry) registry) *Session {
	t.Helper()
	s := session(t, addr, func(o *Options) {
		o.Dial = new(net.Dialer).DialContext
		o.SessionTimeout = 10 * time.Second // a busy machine costs no connection, and so no list
	})
	s.shared.registry = wrap(s.shared.registry)
	return s
}

// ancient is a registry that knows neither persistent watches nor create2.
type ancient struct {
	registry
	lists atomic.Int64
}

func (a *ancient) AddWatch(context.Context, string, zk.WatchMode) (watch, error) {
	return nil, &zk.Error{Op: "addWatch", Sent: true, Err: zk.ErrUnimplemented}
}

func (a *ancient) Create2(context.Context, string, []byte, zk.CreateMode, []zk.ACL) (string, zk.Stat, error) {
	return "", zk.Stat{}, &zk.Error{Op: "create2", Sent: true, Err: zk.ErrUnimplemented}
}

func (a *ancient) Children(ctx context.Context, path string) ([]string, zk.Stat, error) {
	a.lists.Add(1)
	return a.registry.Children(ctx, path)
}

// TestOneShotWatches: without persistent watches every change still arrives, a
// missing directory that comes and a restart included.
func TestOneShotWatches(t *testing.T) {
	registries(t, func(t *testing.T, n neighbour) {
		old := &ancient{}
		s := wrapped(t, n.Addr(), func(r registry) registry { old.registry = r; return old })
		c, other := peer(t, n.Addr()), session(t, n.Addr(), private)
		sp := spectate(t, s, "/a/rpc")
		sp.live()
		r := register(t, other, "/a/rpc", instance(8001))
		sp.live(8001)
		q := register(t, other, "/a/rpc", instance(8002))
		sp.live(8001, 8002)
		if err := q.Deregister(within(t)); err != nil {
			t.Fatal(err)
		}
		sp.live(8001)
		if got := old.lists.Load(); got != 0 {
			t.Errorf("got %d lists besides those that leave a watch, want 0", got)
		}
		ready(t, r)

		mine := register(t, s, "/a/rpc", instance(8003))
		name := ready(t, mine)
		sp.live(8001, 8003)
		if err := c.Delete(within(t), "/a/rpc/"+name, zk.AnyVersion); err != nil {
			t.Fatal(err)
		}
		await(t, mine, "another entry", func(st discovery.RegistrationStatus) bool { return st.Registered && st.Name != name })
		n.Stop()
		sp.source(discovery.SourceStale)
		n.Restart()
		sp.until("live, both", func(u discovery.Update) bool { return u.Source == discovery.SourceLive && len(u.Instances) == 2 })
	})
}

// counted counts the reads of a registry.
type counted struct {
	registry
	mu    sync.Mutex // guards what follows
	lists int
	gets  map[string]int // by the node's name
}

func (c *counted) Children(ctx context.Context, p string) ([]string, zk.Stat, error) {
	c.mu.Lock()
	c.lists++
	c.mu.Unlock()
	return c.registry.Children(ctx, p)
}

func (c *counted) Get(ctx context.Context, p string) ([]byte, zk.Stat, error) {
	c.mu.Lock()
	c.gets[path.Base(p)]++
	c.mu.Unlock()
	return c.registry.Get(ctx, p)
}

// take returns the counts since the last take: of lists, of reads of entries, of
// reads of the overrides.
func (c *counted) take() (lists, gets, orders int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	lists, orders = c.lists, c.gets["overrides"]
	delete(c.gets, "overrides")
	for _, n := range c.gets {
		gets += n
	}
	c.lists, c.gets = 0, map[string]int{}
	return lists, gets, orders
}

// TestCost: a list costs one read for each node once; then a join costs one read,
// a leave none, and a reconnection one list and the reads of what is unknown. The
// overrides cost one read for each connection, and one for each change of them.
func TestCost(t *testing.T) {
	server := zktest.Start(t)
	count := &counted{gets: map[string]int{}}
	s := wrapped(t, server.Addr(), func(r registry) registry { count.registry = r; return count })
	other := session(t, server.Addr(), private)
	var want []int
	var all []discovery.Registration
	for port := 9000; port < 9100; port++ {
		all = append(all, register(t, other, "/rpc", instance(port)))
		ready(t, all[len(all)-1])
		want = append(want, port)
	}
	check := func(what string, want ...int) {
		t.Helper()
		lists, gets, orders := count.take()
		if got := []int{lists, gets, orders}; !slices.Equal(got, want) {
			t.Errorf("%s: got %v lists, reads and reads of the overrides, want %v", what, got, want)
		}
	}
	sp := spectate(t, s, "/rpc")
	sp.live(want...)
	check("first list", 1, 100, 1)

	second := spectate(t, s, "/rpc")
	second.live(want...)
	check("second watcher", 0, 0, 0)

	all = append(all, register(t, other, "/rpc", instance(9100)))
	want = append(want, 9100)
	sp.live(want...)
	check("join", 0, 1, 0)

	if err := all[7].Deregister(within(t)); err != nil {
		t.Fatal(err)
	}
	want = append(want[:7:7], want[8:]...)
	sp.live(want...)
	check("leave", 0, 0, 0)

	edit(t, other, "/rpc", instance(9003), &discovery.Override{Drain: &discovery.Order{}})
	sp.until("drained", func(u discovery.Update) bool { return u.Instances[3].Drained() })
	check("drain", 0, 0, 1)

	server.Stop()
	sp.source(discovery.SourceStale)
	server.Restart()
	sp.live(want...)
	check("reconnection", 1, 0, 1)
}

// lossy drops the answer to the next create, once armed.
type lossy struct {
	armed atomic.Bool
	lost  atomic.Int64
}

func (l *lossy) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &lossyConn{Conn: c, lossy: l}, nil
}

type lossyConn struct {
	net.Conn
	lossy *lossy
	drop  atomic.Bool
}

// Write looks for an ephemeral create among the frames, which the client writes
// whole.
func (c *lossyConn) Write(b []byte) (int, error) {
	for rest := b; len(rest) >= 12; {
		n := int(binary.BigEndian.Uint32(rest))
		if jute.OpCode(binary.BigEndian.Uint32(rest[8:])) == jute.OpCreate2 && c.lossy.armed.CompareAndSwap(true, false) {
			c.drop.Store(true)
		}
		rest = rest[min(len(rest), 4+n):]
	}
	return c.Conn.Write(b)
}

// Read drops everything from the answer on: the create was carried out then.
func (c *lossyConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.drop.Load() && n > 0 {
		c.lossy.lost.Add(1)
		c.Close() // the answer is lost, that is all
		return 0, io.ErrUnexpectedEOF
	}
	return n, err
}

// TestLostCreate: a create that was carried out and whose answer was lost is
// found again; there is never a second node.
func TestLostCreate(t *testing.T) {
	registries(t, func(t *testing.T, n neighbour) {
		for _, id := range []string{"id", ""} {
			l := &lossy{}
			// The node is found again by its owner: the session must not expire
			// meanwhile, however busy the machine is.
			s := session(t, n.Addr(), func(o *Options) { o.Dial, o.SessionTimeout = l.dial, 10*time.Second })
			c := peer(t, n.Addr())
			if err := c.EnsurePath(within(t), "/rpc"+id); err != nil {
				t.Fatal(err)
			}
			sp := spectate(t, s, "/rpc"+id)
			sp.live() // so that the watch is there and the next frame is the create
			l.armed.Store(true)
			in := instance(8001)
			in.ID = id
			r := register(t, s, "/rpc"+id, in)
			name := ready(t, r)
			if name != "server0000000000" || l.lost.Load() == 0 {
				t.Errorf("got %q, %d answers lost, want the node of the lost create", name, l.lost.Load())
			}
			sp.live(8001)
			wantOnly(t, c, "/rpc"+id, name)

			// The same when it is deregistered while it is created.
			sp = spectate(t, s, "/rpc"+id)
			sp.live(8001)
			l.armed.Store(true)
			gone := register(t, s, "/rpc"+id, instance(8002))
			if err := gone.Deregister(within(t)); err != nil {
				t.Fatal(err)
			}
			wantOnly(t, c, "/rpc"+id, name)
		}
	})
}

// TestDeregisterDuringCreate: whenever Deregister comes, nothing is left.
func TestDeregisterDuringCreate(t *testing.T) {
	server := zktest.Start(t)
	s, c := session(t, server.Addr()), peer(t, server.Addr())
	keep := ready(t, register(t, s, "/rpc", instance(1)))
	for i := range 200 {
		r := register(t, s, "/rpc", instance(1000+i))
		go r.Ready(t.Context()) //nolint:errcheck // it is deregistered at some moment
		for range i * i / 20 {
			runtime.Gosched() // another moment each time
		}
		if err := r.Deregister(within(t)); err != nil {
			t.Fatal(err)
		}
		wantOnly(t, c, "/rpc", keep)
	}
}

// wantEnded expects that no goroutine is in one of the functions. One that has
// told its end may be on its way out for a moment.
func wantEnded(t *testing.T, functions ...string) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	running := ""
	for range 5000 {
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		running = ""
		for _, function := range functions {
			if bytes.Contains(stacks, []byte(function)) {
				running = function
			}
		}
		if running == "" {
			return
		}
		<-tick.C
	}
	t.Errorf("%s runs after Close", running)
}

// TestChurn: a thousand watches come and go; no goroutine and no watch on the
// server stays.
func TestChurn(t *testing.T) {
	registries(t, func(t *testing.T, n neighbour) {
		s := session(t, n.Addr())
		anchor := spectate(t, s, "/anchor")
		anchor.live()
		var ending []<-chan struct{} // a watcher may still end while the next one begins
		for i := range 1000 {
			sp := spectate(t, s, "/rpc")
			sp.live()
			s.shared.mu.Lock()
			for what, w := range s.shared.watchers {
				if !strings.HasPrefix(what.path, "/anchor") {
					ending = append(ending, w.done)
				}
			}
			s.shared.mu.Unlock()
			sp.stop()
			if i%10 == 9 { // let them end; else the next one may take the watch over
				for _, done := range ending {
					<-done
				}
				ending = ending[:0]
				s.shared.mu.Lock()
				watchers, listers := len(s.shared.watchers), len(s.shared.listers)
				s.shared.mu.Unlock()
				if watchers != 2 || listers != 1 {
					t.Fatalf("got %d watchers and %d listers, want those of the anchor", watchers, listers)
				}
				if z, ok := n.(apache); ok {
					if got := z.Command("wchs"); !strings.Contains(got, "Total watches:2\n") {
						t.Errorf("round %d: got %q, want the anchor's watches alone", i, got)
					}
				}
			}
		}
		anchor.stop()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		wantEnded(t, "(*lister).run(", "(*watcher).run(", "(*registration).run(", "zk.(*Client).run(")
	})
}
