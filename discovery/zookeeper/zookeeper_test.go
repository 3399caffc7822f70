// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zookeeper

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/zk"
	"github.com/rollcall-rpc/rollcall/zk/zktest"
)

func TestRegisterAndResolve(t *testing.T) {
	registries(t, func(t *testing.T, n neighbour) {
		s := session(t, n.Addr())
		sp := spectate(t, s, "/a/rpc")
		sp.live()
		r := register(t, s, "/a/rpc", instance(8001))
		if got, want := ready(t, r), "server0000000000"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		sp.live(8001)
		q := register(t, s, "/a/rpc", instance(8002))
		u := sp.live(8001, 8002)
		in := u.Instances[1]
		if in.Name != ready(t, q) || in.Owner != s.Status().ID || in.Revision == 0 || in.Registered.IsZero() || in.ID != "id8002" {
			t.Errorf("got %+v", in)
		}
		for range 2 {
			if err := r.Deregister(within(t)); err != nil {
				t.Fatal(err)
			}
		}
		sp.live(8002)
		if _, err := r.Ready(within(t)); !errors.Is(err, discovery.ErrDeregistered) {
			t.Errorf("Ready: got %v, want %v", err, discovery.ErrDeregistered)
		}
	})
}

func TestRoot(t *testing.T) {
	s := session(t, zktest.Start(t).Addr())
	sp := spectate(t, s, "/")
	ready(t, register(t, s, "/", instance(8001)))
	u := sp.live(8001)
	if len(u.Skipped) != 1 || u.Skipped[0].Name != "zookeeper" {
		t.Errorf("got skipped %v, want the node zookeeper", u.Skipped)
	}
}

// TestForeignEntries: what Python programs write is an instance, what is no
// instance is told by name, and neither hides the others.
func TestForeignEntries(t *testing.T) {
	registries(t, func(t *testing.T, n neighbour) {
		c, s := peer(t, n.Addr()), session(t, n.Addr())
		if err := c.EnsurePath(within(t), "/rpc"); err != nil {
			t.Fatal(err)
		}
		for _, data := range []string{`{"host": "127.0.0.1", "port": 8001}`, `{"host": "127.0.0.1", "port": 0}`, ``} {
			if _, err := c.Create(within(t), "/rpc/server", []byte(data), zk.ModeEphemeralSequential, nil); err != nil {
				t.Fatal(err)
			}
		}
		sp := spectate(t, s, "/rpc")
		u := sp.live(8001)
		var names []string
		for _, skipped := range u.Skipped {
			names = append(names, skipped.Name)
		}
		if diff := cmp.Diff(names, []string{"server0000000001", "server0000000002"}); diff != "" {
			t.Errorf("skipped, got - want +:\n%s", diff)
		}
		var field *discovery.FieldError
		if !errors.As(u.Skipped[0].Err, &field) || field.Field != "port" {
			t.Errorf("got %v, want an error of the port", u.Skipped[0].Err)
		}
		if _, err := c.Set(within(t), "/rpc/server0000000001", []byte(`{"host":"h","port":8002}`), zk.AnyVersion); err != nil {
			t.Fatal(err)
		}
		if u := sp.live(8001, 8002); len(u.Skipped) != 1 {
			t.Errorf("got skipped %v, want one", u.Skipped)
		}
	})
}

func TestRestartWithData(t *testing.T) {
	registries(t, func(t *testing.T, n neighbour) {
		s := session(t, n.Addr())
		r := register(t, s, "/rpc", instance(8001))
		name := ready(t, r)
		sp := spectate(t, s, "/rpc")
		before := sp.live(8001)
		n.Stop()
		stale := sp.source(discovery.SourceStale)
		if diff := cmp.Diff(stale.Instances, before.Instances); diff != "" || stale.Err == nil || stale.Confirmed.Before(before.Confirmed) {
			t.Errorf("stale: %v, confirmed %v after %v; got - want +:\n%s", stale.Err, stale.Confirmed, before.Confirmed, diff)
		}
		n.Restart()
		sp.live(8001)
		if got := ready(t, r); got != name && s.Status().Generation == 1 {
			t.Errorf("got %q, want %q as before in the same session", got, name)
		}
	})
}

func TestWipedRegistry(t *testing.T) {
	registries(t, func(t *testing.T, n neighbour) {
		s := session(t, n.Addr())
		sp := spectate(t, s, "/a/rpc")
		r := register(t, s, "/a/rpc", instance(8001))
		ready(t, r)
		first := sp.live(8001)
		n.RestartEmpty()
		sp.until("another life's entry", func(u discovery.Update) bool {
			return u.Source == discovery.SourceLive && len(u.Instances) == 1 && u.Instances[0].Owner != first.Instances[0].Owner
		})
		await(t, r, "registered again", func(st discovery.RegistrationStatus) bool { return st.Registered })
		wantLosses(t, r, map[discovery.Loss]int{discovery.LossWiped: 1})
	})
}

func TestDeletedByHand(t *testing.T) {
	registries(t, func(t *testing.T, n neighbour) {
		c, s := peer(t, n.Addr()), session(t, n.Addr())
		r := register(t, s, "/rpc", instance(8001))
		for range 3 {
			name := ready(t, r)
			if err := c.Delete(within(t), "/rpc/"+name, zk.AnyVersion); err != nil {
				t.Fatal(err)
			}
			await(t, r, "another entry", func(s discovery.RegistrationStatus) bool { return s.Registered && s.Name != name })
		}
		wantOnly(t, c, "/rpc", r.Status().Name)
		wantLosses(t, r, map[discovery.Loss]int{discovery.LossDeleted: 3})
	})
}

// wantLosses checks why entries of a registration were gone.
func wantLosses(t *testing.T, r discovery.Registration, want map[discovery.Loss]int) {
	t.Helper()
	got := r.Status()
	if diff := cmp.Diff(got.Losses, want); diff != "" {
		t.Errorf("losses, got - want +:\n%s", diff)
	}
	if want[got.LastLoss] == 0 {
		t.Errorf("got the last loss %v, want one of %v", got.LastLoss, want)
	}
}

// wantOnly checks that the directory holds one child.
func wantOnly(t *testing.T, c *zk.Client, path, want string) {
	t.Helper()
	names, _, err := c.Children(within(t), path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(names, []string{want}); diff != "" {
		t.Errorf("children of %s, got - want +:\n%s", path, diff)
	}
}

func TestWholeDirectoryDeletedByHand(t *testing.T) {
	registries(t, func(t *testing.T, n neighbour) {
		c, s := peer(t, n.Addr()), session(t, n.Addr())
		sp := spectate(t, s, "/rpc")
		r := register(t, s, "/rpc", instance(8001))
		name := ready(t, r)
		first := sp.live(8001)
		if _, err := c.Multi(within(t), zk.DeleteOp("/rpc/"+name, zk.AnyVersion), zk.DeleteOp("/rpc", zk.AnyVersion)); err != nil {
			t.Fatal(err)
		}
		sp.until("created again", func(u discovery.Update) bool {
			return len(u.Instances) == 1 && u.Instances[0].Revision != first.Instances[0].Revision
		})
		await(t, r, "registered again", func(st discovery.RegistrationStatus) bool { return st.Registered })
		wantLosses(t, r, map[discovery.Loss]int{discovery.LossWiped: 1})
	})
}

// TestDataChanged: what somebody else writes into our node is taken out again,
// even when nothing in it tells any more that the node is ours.
func TestDataChanged(t *testing.T) {
	registries(t, func(t *testing.T, n neighbour) {
		c, s := peer(t, n.Addr()), session(t, n.Addr())
		r := register(t, s, "/rpc", instance(8001))
		for _, data := range []string{`{"host":"evil","port":1,"id":"id8001"}`, `junk`} {
			name := ready(t, r)
			sp := spectate(t, s, "/rpc")
			sp.live(8001)
			if _, err := c.Set(within(t), "/rpc/"+name, []byte(data), zk.AnyVersion); err != nil {
				t.Fatal(err)
			}
			sp.until("a new entry alone", func(u discovery.Update) bool {
				return cmp.Equal(ports(u), []int{8001}) && u.Instances[0].Name != name && len(u.Skipped) == 0
			})
			sp.stop()
		}
		wantOnly(t, c, "/rpc", ready(t, r))
		wantLosses(t, r, map[discovery.Loss]int{discovery.LossChanged: 2})
	})
}

func TestExpiredSession(t *testing.T) {
	server := zktest.Start(t)
	s := session(t, server.Addr())
	sp := spectate(t, s, "/rpc")
	r := register(t, s, "/rpc", instance(8001))
	for i := range 3 {
		ready(t, r)
		if i == 0 {
			sp.live(8001)
		}
		id := sp.last.Instances[0].Owner
		if !server.ExpireSession(id) {
			t.Fatal("no such session")
		}
		sp.until("an entry of the next session", func(u discovery.Update) bool {
			return u.Source == discovery.SourceLive && len(u.Instances) == 1 && u.Instances[0].Owner != id
		})
		await(t, r, "registered", func(st discovery.RegistrationStatus) bool { return st.Registered })
	}
	wantOnly(t, peer(t, server.Addr()), "/rpc", r.Status().Name)
	wantLosses(t, r, map[discovery.Loss]int{discovery.LossExpired: 3})
}

func TestCutConnection(t *testing.T) {
	server := zktest.Start(t)
	s, other := session(t, server.Addr()), session(t, server.Addr(), private)
	sp := spectate(t, s, "/rpc")
	r := register(t, s, "/rpc", instance(8001))
	name := ready(t, r)
	want := []int{8001}
	for i := range 10 {
		sp.live(want...)
		if !server.CutConnection(s.Status().ID) {
			t.Fatal("no such connection")
		}
		want = append(want, 9000+i)
		ready(t, register(t, other, "/rpc", instance(9000+i)))
	}
	sp.live(want...)
	if got := ready(t, r); got != name {
		t.Errorf("got %q, want %q as before", got, name)
	}
}

func TestRegistryAbsentAtFirst(t *testing.T) {
	registries(t, func(t *testing.T, n neighbour) {
		n.Stop()
		s := session(t, n.Addr())
		sp := spectate(t, s, "/rpc")
		if u := sp.source(discovery.SourceNone); u.Err == nil || len(u.Instances) != 0 || !u.Confirmed.IsZero() {
			t.Errorf("got %+v", u)
		}
		r := register(t, s, "/rpc", instance(8001))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := r.Ready(ctx); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "zookeeper: ") {
			t.Errorf("Ready: got %v, want the context's error and the reason", err)
		}
		gone := register(t, s, "/rpc", instance(8002))
		if err := gone.Deregister(within(t)); err != nil {
			t.Errorf("Deregister without a registry: %v", err)
		}
		n.Restart()
		sp.live(8001)
		ready(t, r)
	})
}

// TestTwinFromEarlierRun: the entry of a run that crashed is deleted by the next.
func TestTwinFromEarlierRun(t *testing.T) {
	registries(t, func(t *testing.T, n neighbour) {
		c, s := peer(t, n.Addr()), session(t, n.Addr())
		if err := c.EnsurePath(within(t), "/rpc"); err != nil {
			t.Fatal(err)
		}
		elder, err := c.Create(within(t), "/rpc/server", []byte(`{"host":"127.0.0.1","port":7999,"id":"id8001"}`), zk.ModeEphemeralSequential, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _, gone, err := c.GetW(within(t), elder)
		if err != nil {
			t.Fatal(err)
		}
		sp := spectate(t, s, "/rpc")
		sp.live(7999)
		r := register(t, s, "/rpc", instance(8001))
		sp.live(8001)
		<-gone
		st := await(t, r, "registered", func(st discovery.RegistrationStatus) bool { return st.Registered })
		if st.Conflict != "" {
			t.Errorf("got a conflict with %q", st.Conflict)
		}
		wantOnly(t, c, "/rpc", st.Name)
	})
}

// TestYoungerTwin: of two live owners of one ID the one that came last has it.
// The first says so, and comes back when the last is gone.
func TestYoungerTwin(t *testing.T) {
	registries(t, func(t *testing.T, n neighbour) {
		a, b := session(t, n.Addr()), session(t, n.Addr(), private)
		sp := spectate(t, a, "/rpc")
		in := instance(8001)
		first := register(t, a, "/rpc", in)
		ready(t, first)
		in.Port = 8002
		second := register(t, b, "/rpc", in)
		name := ready(t, second)
		await(t, first, "conflict", func(st discovery.RegistrationStatus) bool {
			return st.Conflict == name && !st.Registered && strings.Contains(st.Err.Error(), name)
		})
		sp.live(8002)
		wantLosses(t, first, map[discovery.Loss]int{discovery.LossReplaced: 1})
		wantOnly(t, peer(t, n.Addr()), "/rpc", name)
		if err := second.Deregister(within(t)); err != nil {
			t.Fatal(err)
		}
		await(t, first, "registered again", func(st discovery.RegistrationStatus) bool { return st.Registered && st.Conflict == "" })
		sp.live(8001)
		wantLosses(t, first, map[discovery.Loss]int{discovery.LossReplaced: 1})
		if got := second.Status(); got.LastLoss != 0 || got.Losses != nil {
			t.Errorf("the one that came last: got %+v, want no loss", got)
		}
	})
}

func TestTwinsInOneSession(t *testing.T) {
	s := session(t, zktest.Start(t).Addr())
	first := register(t, s, "/rpc", instance(8001))
	ready(t, first)
	second := register(t, s, "/rpc", instance(8001))
	name := ready(t, second)
	await(t, first, "conflict", func(st discovery.RegistrationStatus) bool { return st.Conflict == name })
}

func TestDeregisterWithoutConnection(t *testing.T) {
	server := zktest.Start(t)
	s := session(t, server.Addr())
	r := register(t, s, "/rpc", instance(8001))
	ready(t, r)
	sp := spectate(t, s, "/rpc")
	sp.live(8001)
	server.Stop()
	sp.source(discovery.SourceStale)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Deregister(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Deregister: got %v, want %v", err, context.Canceled)
	}
	server.Restart()
	sp.live()
	if err := r.Deregister(within(t)); err != nil {
		t.Error(err)
	}
}

func TestSharing(t *testing.T) {
	server := zktest.Start(t)
	opts := Options{SessionTimeout: time.Second}
	addr, alias := server.Addr(), "localhost"+server.Addr()[strings.LastIndexByte(server.Addr(), ':'):]
	a, err := Open([]string{addr, alias}, opts)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Open([]string{alias, addr}, opts)
	if err != nil {
		t.Fatal(err)
	}
	opts.Auths = []zk.Auth{{Scheme: "digest", Data: []byte("u:p")}}
	c, err := Open([]string{alias, addr}, opts)
	if err != nil {
		t.Fatal(err)
	}
	if a.shared != b.shared || a.shared == c.shared {
		t.Errorf("got a, b shared %v, a, c shared %v, want true, false", a.shared == b.shared, a.shared == c.shared)
	}
	spA, spB := spectate(t, a, "/rpc"), spectate(t, b, "/rpc")
	r := register(t, a, "/rpc", instance(8001))
	ready(t, register(t, b, "/rpc", instance(8002)))
	ready(t, r)
	spA.until("both", func(u discovery.Update) bool { return len(u.Instances) == 2 })
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	spA.stop()
	spB.live(8002)
	if _, err := a.Registrar("/rpc").Register(instance(1)); !errors.Is(err, ErrClosed) {
		t.Errorf("Register: got %v, want %v", err, ErrClosed)
	}
	if err := a.Resolver("/rpc").Watch(t.Context(), func(discovery.Update) {}); !errors.Is(err, ErrClosed) {
		t.Errorf("Watch: got %v, want %v", err, ErrClosed)
	}
	for _, s := range []*Session{a, b, c} {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	if sessions := server.Sessions(); len(sessions) != 0 {
		t.Errorf("got sessions %v after the last handle was closed", sessions)
	}
}

// TestCloseWithoutConnection: a handle that is not the last one cannot confirm
// that its nodes are gone while the registry is away. It says so, and they are
// removed as soon as the registry is back.
func TestCloseWithoutConnection(t *testing.T) {
	server := zktest.Start(t)
	stays := session(t, server.Addr())
	leaves, err := Open([]string{server.Addr()}, stays.opts)
	if err != nil {
		t.Fatal(err)
	}
	if stays.shared != leaves.shared {
		t.Fatal("the handles do not share a session")
	}
	sp := spectate(t, stays, "/rpc")
	ready(t, register(t, stays, "/rpc", instance(8001)))
	ready(t, register(t, leaves, "/rpc", instance(8002)))
	sp.live(8001, 8002)
	server.Stop()
	sp.source(discovery.SourceStale)
	if err := leaves.Close(); err == nil || !strings.Contains(err.Error(), "1 of 1") {
		t.Errorf("Close: got %v, want an error that tells how many nodes are left", err)
	}
	server.Restart()
	sp.live(8001)
}

func TestBadArguments(t *testing.T) {
	if _, err := Open([]string{"nowhere"}, Options{}); err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("Open: got %v, want an error that names the server", err)
	}
	s := session(t, "127.0.0.1:1")
	for _, path := range []string{"", "rpc", "/a//b", "/a/../b"} {
		var typed *discovery.TargetError
		if err := s.Resolver(path).Watch(t.Context(), nil); !errors.As(err, &typed) || typed.Field != "path" {
			t.Errorf("Watch of %q: got %v, want an error of the path", path, err)
		}
		if _, err := s.Registrar(path).Register(instance(1)); !errors.As(err, &typed) || typed.Field != "path" {
			t.Errorf("Register in %q: got %v, want an error of the path", path, err)
		}
	}
	var field *discovery.FieldError
	if _, err := s.Registrar("/rpc").Register(discovery.Instance{}); !errors.As(err, &field) || field.Field != "host" {
		t.Errorf("Register: got %v, want an error of the host", err)
	}
}

// TestDefaultACL: with credentials what is created is the creator's alone.
func TestDefaultACL(t *testing.T) {
	registries(t, func(t *testing.T, n neighbour) {
		s := session(t, n.Addr(), func(o *Options) { o.ACL = nil })
		name := ready(t, register(t, s, "/rpc", instance(8001)))
		c := peer(t, n.Addr())
		for _, path := range []string{"/rpc", "/rpc/" + name} {
			if _, _, err := c.Get(within(t), path); !errors.Is(err, zk.ErrNoAuth) {
				t.Errorf("Get %s without credentials: got %v, want %v", path, err, zk.ErrNoAuth)
			}
		}
		u := spectate(t, session(t, n.Addr(), func(o *Options) { o.Auths = nil }), "/rpc").source(discovery.SourceNone)
		if !errors.Is(u.Err, zk.ErrNoAuth) {
			t.Errorf("Watch without credentials: got %v, want %v", u.Err, zk.ErrNoAuth)
		}
		spectate(t, s, "/rpc").live(8001)
	})
}

// TestOneShotWatchesRefused: without persistent watches, too, a watcher learns that
// it may not read the list, and has it as soon as it may.
func TestOneShotWatchesRefused(t *testing.T) {
	registries(t, func(t *testing.T, n neighbour) {
		owner := session(t, n.Addr(), func(o *Options) { o.ACL = nil })
		ready(t, register(t, owner, "/rpc", instance(8001)))
		old := &ancient{}
		s := session(t, n.Addr(), func(o *Options) { o.Dial, o.Auths = new(net.Dialer).DialContext, nil })
		old.registry, s.shared.registry = s.shared.registry, old
		sp := spectate(t, s, "/rpc")
		sp.until("refused", func(u discovery.Update) bool { return errors.Is(u.Err, zk.ErrNoAuth) })
		c := owner.shared.registry.(client)
		// The entry first: once the directory may be read, the entry is at once.
		for _, path := range []string{"/rpc/server0000000000", "/rpc"} {
			if _, err := c.SetACL(within(t), path, zk.WorldAnyone(), zk.AnyVersion); err != nil {
				t.Fatal(err)
			}
		}
		sp.live(8001)
	})
}
