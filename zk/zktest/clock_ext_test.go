// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zktest_test

import (
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zktest"
)

// Sessions live by the clock: each ends at the first tick behind its timeout, and
// by then nobody sees its nodes.
func TestTurnExpires(t *testing.T) {
	clock := zktest.NewClock()
	srv := zktest.StartOptions(t, zktest.Options{Clock: clock})
	a, b := connect(t, srv.Addr(), nil), connect(t, srv.Addr(), nil)
	a.create("/a", jute.FlagEphemeral)
	clock.Turn(1500 * time.Millisecond)
	if got := len(srv.Sessions()); got != 2 {
		t.Fatalf("at the timeout: got %d sessions, want 2", got)
	}
	if !b.exists("/a") {
		t.Error("the node of a live session is gone")
	}
	clock.Turn(99 * time.Millisecond)
	if got := len(srv.Sessions()); got != 2 {
		t.Errorf("before the next tick: got %d sessions, want 2", got)
	}
	clock.Turn(time.Millisecond)
	if got := srv.Sessions(); len(got) != 1 || got[0].ID != b.id {
		t.Errorf("at the next tick: got %+v, want the session that was heard of", got)
	}
	if b.exists("/a") {
		t.Error("the node of an expired session is there")
	}
	clock.Turn(time.Hour)
	if got := len(srv.Sessions()); got != 0 {
		t.Errorf("an hour later: got %d sessions, want 0", got)
	}
}

// Time does not pass for a session while the server is stopped, and turning does
// not wait for it.
func TestTurnAcrossRestarts(t *testing.T) {
	clock := zktest.NewClock()
	srv := zktest.StartOptions(t, zktest.Options{Clock: clock, ContainerCheckInterval: -1})
	other := zktest.StartOptions(t, zktest.Options{Clock: clock}) // goes on
	connect(t, other.Addr(), nil)
	a := connect(t, srv.Addr(), nil)
	srv.Stop()
	clock.Turn(time.Minute)
	if got := len(other.Sessions()); got != 0 {
		t.Errorf("the other server: got %d sessions, want 0", got)
	}
	for range 3 {
		srv.Restart()
		clock.Turn(time.Second)
		if a = connect(t, srv.Addr(), a); a.id == 0 {
			t.Fatal("the session has expired, want it to have had no more than a second")
		}
	}
	srv.RestartEmpty()
	connect(t, srv.Addr(), nil)
	clock.Turn(2 * time.Second)
	if got := len(srv.Sessions()); got != 0 {
		t.Errorf("got %d sessions, want 0", got)
	}
}

// Containers and times to live end when the clock says so, and nodes are dated by
// it.
func TestTurnRemovesNodes(t *testing.T) {
	clock := zktest.NewClock()
	srv := zktest.StartOptions(t, zktest.Options{
		Clock: clock, ExtendedTypes: true, ContainerCheckInterval: 10 * time.Second, MaxSessionTimeout: time.Hour,
	})
	a := connect(t, srv.Addr(), nil)
	container := &jute.CreateRequest{Path: "/c", ACL: jute.WorldAnyone(), Flags: jute.FlagContainer}
	if err := a.do(jute.OpCreateContainer, container); err != 0 {
		t.Fatalf("create container: %v", err)
	}
	a.create("/c/x", 0)
	a.do(jute.OpDelete, &jute.PathVersionRequest{Path: "/c/x", Version: -1})
	ttl := &jute.CreateTTLRequest{TTLMillis: 500}
	ttl.CreateRequest = jute.CreateRequest{Path: "/t", ACL: jute.WorldAnyone(), Flags: jute.FlagTTL}
	if err := a.do(jute.OpCreateTTL, ttl); err != 0 {
		t.Fatalf("create with a time to live: %v", err)
	}
	look := func(want bool) {
		t.Helper()
		a = connect(t, srv.Addr(), nil) // the one before may have expired
		if c, n := a.exists("/c"), a.exists("/t"); c != want || n != want {
			t.Errorf("container and node: got %t and %t, want %t", c, n, want)
		}
	}
	clock.Turn(9 * time.Second)
	look(true)
	clock.Turn(time.Second)
	look(false)
	if got, want := clock.Now(), time.Date(2026, 1, 1, 0, 0, 10, 0, time.UTC); !got.Equal(want) {
		t.Errorf("Now: got %v, want %v", got, want)
	}
}
