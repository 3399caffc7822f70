// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package conformance_test

import (
	"slices"
	"testing"

	"github.com/go-zookeeper/zk"

	"github.com/rollcall-rpc/rollcall/zk/jute"
)

// goLostAnswer loses the answer of a protected create: the client is to find
// the node it made by the mark in its name.
func goLostAnswer(t *testing.T, s server, base string) {
	p := newProxy(t, s.Addr())
	c, other := dialGo(t, p.Addr(), longSession), dialGo(t, s.Addr(), longSession)
	p.LoseAnswer(jute.OpCreate)
	path, err := c.CreateProtectedEphemeralSequential(base+"/n-", []byte("x"), open)
	check(t, "protected create", err, nil)
	if !p.Lost() {
		t.Fatal("no answer was lost")
	}
	children, _, err := other.Children(base)
	check(t, "children", err, nil)
	if len(children) != 1 || base+"/"+children[0] != path {
		t.Errorf("got %s, and below %s there is %q; want that one node", path, base, children)
	}
	_, stat, err := other.Get(path)
	check(t, "get", err, nil)
	if stat.EphemeralOwner != c.SessionID() {
		t.Errorf("%s has the owner 0x%x, want 0x%x", path, stat.EphemeralOwner, c.SessionID())
	}
}

func goReattach(t *testing.T, s server, base string) {
	p := newProxy(t, s.Addr())
	c, other := dialGo(t, p.Addr(), longSession), dialGo(t, s.Addr(), longSession)
	id := c.SessionID()
	path := c.add(t, base+"/e", "", zk.FlagEphemeral)
	_, _, quiet, err := c.GetW(path)
	check(t, "get", err, nil)
	_, _, missed, err := c.ChildrenW(base)
	check(t, "children", err, nil)
	for range 3 {
		p.Cut()
		c.await(t, zk.StateDisconnected)
		c.await(t, zk.StateHasSession)
		if c.SessionID() != id {
			t.Fatalf("session 0x%x after a cut, want 0x%x", c.SessionID(), id)
		}
	}
	_, stat, err := other.Get(path)
	check(t, "get after cuts", err, nil)
	if stat.EphemeralOwner != id {
		t.Errorf("owner 0x%x after cuts, want 0x%x", stat.EphemeralOwner, id)
	}
	wantSilence(t, base, missed)

	p.Refuse()
	other.add(t, base+"/new", "", 0)
	p.Admit()
	wantEvent(t, missed, zk.EventNodeChildrenChanged, base)
	wantSilence(t, path, quiet)
	_, err = other.Set(path, nil, -1)
	check(t, "set", err, nil)
	wantEvent(t, quiet, zk.EventNodeDataChanged, path)
}

func goExpiry(t *testing.T, s server, base string) {
	p := newProxy(t, s.Addr())
	c, other := dialGo(t, p.Addr(), shortSession), dialGo(t, s.Addr(), longSession)
	id := c.SessionID()
	path := c.add(t, base+"/e", "", zk.FlagEphemeral)
	_, _, events, err := c.GetW(base)
	check(t, "get", err, nil)
	p.Refuse()
	other.gone(t, path)
	p.Admit()
	c.await(t, zk.StateExpired)
	c.await(t, zk.StateHasSession)
	if e := receive(t, "the end of the watch", events); e.Type != zk.EventNotWatching {
		t.Errorf("the watch ended with %v, want %v", e.Type, zk.EventNotWatching)
	}
	if c.SessionID() == id {
		t.Errorf("session 0x%x after expiry, want another one", id)
	}
	c.add(t, path, "", zk.FlagEphemeral)
}

// TestGoZooKeeperRestart has watches outlive a restart of the server: those
// whose nodes changed meanwhile fire at once, the others later.
func TestGoZooKeeperRestart(t *testing.T) {
	eachDurable(t, func(t *testing.T, s server) {
		p := newProxy(t, s.Addr())
		c, other := dialGo(t, p.Addr(), longSession), dialGo(t, s.Addr(), longSession)
		c.add(t, "/r", "", 0)
		own := c.add(t, "/r/own-", "", zk.FlagEphemeralSequential)
		old, quiet := watchAll(t, c, "/r/old"), watchAll(t, c, "/r/quiet")
		id := c.SessionID()

		p.Refuse()
		s.Stop()
		other.await(t, zk.StateDisconnected)
		s.Start()
		other.await(t, zk.StateHasSession)
		old.change(t, other)
		p.Admit()
		old.wait(t)
		_, stat, err := c.Get(own)
		check(t, "get of the ephemeral node", err, nil)
		if c.SessionID() != id || stat.EphemeralOwner != id {
			t.Errorf("session 0x%x, owner 0x%x after the restart, want 0x%x", c.SessionID(), stat.EphemeralOwner, id)
		}
		quiet.silent(t)
		quiet.change(t, other)
		quiet.wait(t)
		if next := c.add(t, "/r/own-", "", zk.FlagEphemeralSequential); next <= own {
			t.Errorf("got %s after %s, want a later name", next, own)
		}
	})
}

// TestGoZooKeeperWiped has the registry lose everything: clients are told that
// their sessions expired, and can go on.
func TestGoZooKeeperWiped(t *testing.T) {
	t.Parallel()
	s := startRegistry(t, false)
	c := dialGo(t, s.Addr(), longSession)
	c.add(t, "/gone", "", 0)
	_, _, events, err := c.GetW("/gone")
	check(t, "get", err, nil)
	id := c.SessionID()
	s.Wipe()
	c.await(t, zk.StateExpired)
	c.await(t, zk.StateHasSession)
	if e := receive(t, "the end of the watch", events); e.Type != zk.EventNotWatching {
		t.Errorf("the watch ended with %v, want %v", e.Type, zk.EventNotWatching)
	}
	children, _, err := c.Children("/")
	check(t, "children", err, nil)
	if c.SessionID() == id || !slices.Equal(children, []string{"zookeeper"}) {
		t.Errorf("session 0x%x and %q after the loss of 0x%x, want another one and an empty tree", c.SessionID(), children, id)
	}
}

// watched is a directory of nodes with one watch of each kind.
type watched struct {
	base                  string
	data, exist, children <-chan zk.Event
}

func watchAll(t *testing.T, c *goClient, base string) *watched {
	t.Helper()
	w := &watched{base: base}
	c.add(t, base, "", 0)
	c.add(t, base+"/data", "", 0)
	c.add(t, base+"/dir", "", 0)
	var err error
	_, _, w.data, err = c.GetW(base + "/data")
	check(t, "get", err, nil)
	_, _, w.exist, err = c.ExistsW(base + "/missing")
	check(t, "exists", err, nil)
	_, _, w.children, err = c.ChildrenW(base + "/dir")
	check(t, "children", err, nil)
	return w
}

func (w *watched) change(t *testing.T, c *goClient) {
	t.Helper()
	_, err := c.Set(w.base+"/data", []byte("x"), -1)
	check(t, "set", err, nil)
	c.add(t, w.base+"/missing", "", 0)
	c.add(t, w.base+"/dir/n", "", 0)
}

func (w *watched) wait(t *testing.T) {
	t.Helper()
	wantEvent(t, w.data, zk.EventNodeDataChanged, w.base+"/data")
	wantEvent(t, w.exist, zk.EventNodeCreated, w.base+"/missing")
	wantEvent(t, w.children, zk.EventNodeChildrenChanged, w.base+"/dir")
}

func (w *watched) silent(t *testing.T) {
	t.Helper()
	wantSilence(t, w.base+"/data", w.data)
	wantSilence(t, w.base+"/missing", w.exist)
	wantSilence(t, w.base+"/dir", w.children)
}
