// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zktest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall/zk"
	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zktest"
)

// wait bounds a wait that is over at once unless the test fails.
const wait = 20 * time.Second

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	t.Cleanup(cancel)
	return ctx
}

// dial returns a client of ours, whose sessions outlast a busy machine.
func dial(t *testing.T, srv *zktest.Server) *zk.Client {
	t.Helper()
	c, err := zk.New([]string{srv.Addr()}, zk.Options{BackoffMin: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.Connected(within(t)); err != nil {
		t.Fatal(err)
	}
	return c
}

func happened(t *testing.T, in *zktest.Injection, n int) {
	t.Helper()
	select {
	case <-in.Happened(n):
	case <-time.After(wait):
		t.Fatalf("%d faults have happened, want %d", in.Count(), n)
	}
}

func create(t *testing.T, c *zk.Client, path string) error {
	t.Helper()
	_, err := c.Create(within(t), path, nil, zk.ModePersistent, nil)
	return err
}

// Each fault is what a client takes it for.
func TestClientMeetsFaults(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fault zktest.Fault
		want  error
		there bool // the node, afterwards
	}{
		{"fail", zktest.Fail(jute.ErrNoAuth), zk.ErrNoAuth, false},
		{"cut before", zktest.CutBefore, zk.ErrConnectionLoss, false},
		{"cut after", zktest.CutAfter, zk.ErrConnectionLoss, true},
		{"expire", zktest.Expire, zk.ErrSessionExpired, false},
		{"delay", zktest.Delay(time.Millisecond), nil, true},
		{"pass", zktest.Pass, nil, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			srv := zktest.StartOptions(t, zktest.Options{MaxSessionTimeout: wait})
			c := dial(t, srv)
			in := srv.Inject(zktest.Once(zktest.Match{Ops: zktest.Creates}, tt.fault))
			err := create(t, c, "/n")
			if tt.name == "expire" && errors.Is(err, zk.ErrConnectionLoss) {
				err = tt.want // it learns that when it is back
			}
			if !errors.Is(err, tt.want) {
				t.Errorf("create: got %v, want %v", err, tt.want)
			}
			if tt.fault != zktest.Pass {
				happened(t, in, 1)
			}
			other := dial(t, srv)
			if _, ok, err := other.Exists(within(t), "/n"); err != nil || ok != tt.there {
				t.Errorf("exists: got %t, %v, want %t", ok, err, tt.there)
			}
			if err := create(t, other, "/next"); err != nil {
				t.Errorf("the next create: got %v, want none", err)
			}
		})
	}
}

// A request that is dropped is never answered, nor are the pings behind it: the
// client gives the connection up and goes on with another.
func TestDrop(t *testing.T) {
	srv := zktest.Start(t)
	c := dial(t, srv)
	in := srv.Inject(zktest.Once(zktest.Match{Path: "/n"}, zktest.Drop))
	if err := create(t, c, "/n"); !errors.Is(err, zk.ErrConnectionLoss) {
		t.Errorf("create: got %v, want %v", err, zk.ErrConnectionLoss)
	}
	happened(t, in, 1)
	if err := create(t, c, "/n"); err != nil {
		t.Errorf("create again: got %v, want none", err)
	}
}

// What is held back on one connection goes on when it is let go, and other
// connections meanwhile.
func TestHold(t *testing.T) {
	clock := zktest.NewClock()
	srv := zktest.StartOptions(t, zktest.Options{Clock: clock, MaxSessionTimeout: time.Hour})
	released := make(chan struct{})
	for _, tt := range []struct {
		name  string
		fault zktest.Fault
		free  func()
	}{
		{"/until", zktest.HoldUntil(released), func() { close(released) }},
		{"/delay", zktest.Delay(10 * time.Second), func() { clock.Turn(10 * time.Second) }},
	} {
		c, other := dial(t, srv), dial(t, srv)
		in := srv.Inject(zktest.Once(zktest.Match{Path: tt.name}, tt.fault))
		done := make(chan error, 2)
		go func() { done <- create(t, c, tt.name) }()
		happened(t, in, 1)
		go func() { done <- create(t, c, tt.name+"/behind") }() // fails if it overtakes
		if _, ok, err := other.Exists(within(t), tt.name); ok || err != nil {
			t.Errorf("%s: got %t, %v while it is held, want no node", tt.name, ok, err)
		}
		tt.free()
		for range 2 {
			if err := <-done; err != nil {
				t.Errorf("%s: got %v, want none", tt.name, err)
			}
		}
	}
	// Nobody waits for a request whose server is gone.
	in := srv.Inject(zktest.Always(zktest.Match{}, zktest.HoldUntil(nil)))
	held := srv.Inject(zktest.Always(zktest.Match{}, zktest.HoldUntil(make(chan struct{}))))
	c := dial(t, srv)
	go func() { create(t, c, "/held") }() //nolint:errcheck // it ends with the test
	happened(t, held, 1)
	srv.Stop()
	if in.Count() != 0 {
		t.Error("HoldUntil(nil) holds, want it to be Pass")
	}
}

// The hook that comes first decides; a hook that was removed decides nothing. Both
// outlast a restart.
func TestInjections(t *testing.T) {
	srv := zktest.StartOptions(t, zktest.Options{MaxSessionTimeout: wait})
	var seen []jute.OpCode
	all := srv.Inject(func(r *zktest.Request) zktest.Fault {
		if r.Op != jute.OpPing {
			seen = append(seen, r.Op)
		}
		return zktest.Pass
	})
	first := srv.Inject(zktest.Times(zktest.Match{Under: "/a"}, 2, zktest.Fail(jute.ErrNoAuth)))
	second := srv.Inject(zktest.Sequence(zktest.Match{Under: "/"}, zktest.Fail(jute.ErrNotEmpty), zktest.Pass, zktest.Fail(jute.ErrBadVersion)))
	srv.RestartEmpty()
	a := connect(t, srv.Addr(), nil)
	want := []jute.ErrCode{jute.ErrNoAuth, jute.ErrNoAuth, jute.ErrNotEmpty, jute.ErrNoNode, jute.ErrBadVersion, jute.ErrNoNode}
	for i, want := range want {
		if got := a.create("/a/b", 0); got != want {
			t.Errorf("create %d: got %v, want %v", i+1, got, want)
		}
	}
	if got, want := []int{all.Count(), first.Count(), second.Count()}, []int{0, 2, 2}; got[0] != want[0] || got[1] != want[1] || got[2] != want[2] {
		t.Errorf("counts: got %v, want %v", got, want)
	}
	if len(seen) != len(want) {
		t.Errorf("got %d requests seen, want %d", len(seen), len(want))
	}
	first.Remove()
	first.Remove()
	srv.Inject(zktest.Always(zktest.Match{}, zktest.CutBefore)).Remove()
	all.Remove()
	second.Remove()
	if got := a.create("/a", 0); got != 0 || len(seen) != len(want) {
		t.Errorf("without hooks: got %v, %d requests seen, want ok, %d", got, len(seen), len(want))
	}
	happened(t, second, 2)
}

func TestMatch(t *testing.T) {
	create := zktest.Request{Session: 7, Op: jute.OpCreate2, Paths: []string{"/a/b"}}
	multi := zktest.Request{Session: 7, Op: jute.OpMulti, Paths: []string{"/x", "/a/b/c"}}
	ping := zktest.Request{Session: 7, Op: jute.OpPing}
	for _, tt := range []struct {
		name                string
		match               zktest.Match
		create, multi, ping bool
	}{
		{"all", zktest.Match{}, true, true, false},
		{"creates", zktest.Match{Ops: zktest.Creates}, true, false, false},
		{"pings", zktest.Match{Ops: []jute.OpCode{jute.OpPing}}, false, false, true},
		{"path", zktest.Match{Path: "/a/b"}, true, false, false},
		{"under", zktest.Match{Under: "/a"}, true, true, false},
		{"under the root", zktest.Match{Under: "/"}, true, true, false},
		{"under itself", zktest.Match{Under: "/a/b"}, false, true, false},
		{"under half a name", zktest.Match{Under: "/a/b/c/"}, false, false, false},
		{"session", zktest.Match{Session: 7}, true, true, false},
		{"another session", zktest.Match{Session: 8}, false, false, false},
		{"path and session", zktest.Match{Path: "/x", Session: 7}, false, true, false},
	} {
		for _, r := range []struct {
			req  *zktest.Request
			want bool
		}{{&create, tt.create}, {&multi, tt.multi}, {&ping, tt.ping}} {
			if got := tt.match.Matches(r.req); got != r.want {
				t.Errorf("%s: %v: got %t, want %t", tt.name, r.req.Op, got, r.want)
			}
		}
	}
}
