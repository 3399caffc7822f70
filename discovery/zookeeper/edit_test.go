// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zookeeper

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/discovery/layout"
	"github.com/rollcall-rpc/rollcall/zk"
	"github.com/rollcall-rpc/rollcall/zk/zktest"
)

// edit gives an order for an instance.
func edit(t testing.TB, s *Session, path string, in discovery.Instance, o *discovery.Override) {
	t.Helper()
	in.Override = o
	if err := s.EditOverrides(within(t), path, func(all *layout.Overrides) error { all.Put(in); return nil }); err != nil {
		t.Fatal(err)
	}
}

// TestEditOverridesConcurrently: of orders that are given at the same time none is
// lost.
func TestEditOverridesConcurrently(t *testing.T) {
	registries(t, func(t *testing.T, n neighbour) {
		const editors, rounds = 4, 5
		var work sync.WaitGroup
		for i := range editors {
			s := session(t, n.Addr(), private)
			work.Go(func() {
				for j := range rounds {
					in := instance(1000*(i+1) + j)
					in.Override = &discovery.Override{Drain: &discovery.Order{}}
					if err := s.EditOverrides(within(t), "/a/rpc", func(all *layout.Overrides) error { all.Put(in); return nil }); err != nil {
						t.Error(err)
					}
				}
			})
		}
		work.Wait()
		c := peer(t, n.Addr())
		data, stat, err := c.Get(within(t), "/a/rpc-meta/overrides")
		if err != nil {
			t.Fatal(err)
		}
		all, err := layout.DecodeOverrides(data)
		if err != nil || len(all.All()) != editors*rounds {
			t.Errorf("got %d orders, %v, want %d", len(all.All()), err, editors*rounds)
		}
		if stat.Version != editors*rounds-1 || stat.EphemeralOwner != 0 {
			t.Errorf("got %+v, want a persistent node written once for each order", stat)
		}
		if names, _, err := c.Children(within(t), "/a"); err != nil || len(names) != 1 {
			t.Errorf("got %v, %v, want nothing under /a but the overrides", names, err)
		}
	})
}

// TestEditOverridesWritesChangesAlone: what changes nothing is not written, so an
// edit whose answer was lost is not made twice.
func TestEditOverridesWritesChangesAlone(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.fake.connect()
		version := func() int32 {
			b.fake.mu.Lock()
			defer b.fake.mu.Unlock()
			return b.fake.orders.version
		}
		edit(b.t, b.session, "/rpc", instance(1), nil)
		if got := version(); got != 0 {
			t.Errorf("nothing to write: got version %d, want no document", got)
		}
		for range 2 {
			b.fake.orders.lose = true
			edit(b.t, b.session, "/rpc", instance(1), &discovery.Override{Drain: &discovery.Order{By: "ann"}})
			if got := version(); got != 1 {
				t.Errorf("got version %d, want 1", got)
			}
		}
		b.fake.orders.lose = true
		edit(b.t, b.session, "/rpc", instance(2), &discovery.Override{Drain: &discovery.Order{By: "ann"}})
		if got := version(); got != 2 {
			t.Errorf("got version %d, want 2", got)
		}
	})
}

func TestEditOverridesErrors(t *testing.T) {
	inBubble(t, func(b *bubble) {
		never := func(*layout.Overrides) error { t.Error("edit was called"); return nil }
		var bad *discovery.TargetError
		if err := b.session.EditOverrides(b.t.Context(), "rpc", never); !errors.As(err, &bad) {
			t.Errorf("no path: got %v", err)
		}
		b.fake.connect()
		b.fake.order(`{"version":7}`)
		var field *discovery.FieldError
		if err := b.session.EditOverrides(b.t.Context(), "/rpc", never); !errors.As(err, &field) || !strings.Contains(err.Error(), "/rpc-meta/overrides cannot be read") {
			t.Errorf("a document that cannot be read: got %v", err)
		}
		b.fake.order("")
		// One that looks like the registry's is no reason to begin again.
		for _, mine := range []error{errors.New("mine"), zk.ErrNoNode, fmt.Errorf("mine: %w", context.DeadlineExceeded)} {
			calls := 0
			refuse := func(*layout.Overrides) error { calls++; return mine }
			if err := b.session.EditOverrides(within(b.t), "/rpc", refuse); err != mine || calls != 1 { //nolint:errorlint // as it is
				t.Errorf("an error of edit: got %v after %d calls, want %v after one", err, calls, mine)
			}
		}
		wrong := instance(1)
		wrong.Override = &discovery.Override{Weight: &discovery.WeightOrder{Value: -1}}
		put := func(all *layout.Overrides) error { all.Put(wrong); return nil }
		if err := b.session.EditOverrides(b.t.Context(), "/rpc", put); !errors.As(err, &field) || field.Field != "overrides[0].weight.value" {
			t.Errorf("a wrong order: got %v", err)
		}
		b.fake.disconnect()
		ctx, cancel := context.WithCancel(b.t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- b.session.EditOverrides(ctx, "/rpc", func(all *layout.Overrides) error { all.Put(instance(1)); return nil })
		}()
		synctest.Wait()
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("no registry: got %v", err)
		}
		go func() {
			ended <- b.session.EditOverrides(within(b.t), "/rpc", never)
		}()
		synctest.Wait()
		if err := b.session.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; !errors.Is(err, ErrClosed) {
			t.Errorf("closed meanwhile: got %v", err)
		}
		if err := b.session.EditOverrides(b.t.Context(), "/rpc", never); !errors.Is(err, ErrClosed) {
			t.Errorf("closed: got %v", err)
		}
	})
}

// TestOverridesACL: the document belongs to who wrote it first, and everybody can
// read it.
func TestOverridesACL(t *testing.T) {
	server := zktest.Start(t)
	as := func(user string) *Session {
		return session(t, server.Addr(), func(o *Options) {
			o.Auths, o.ACL = []zk.Auth{{Scheme: "digest", Data: fmt.Appendf(nil, "%s:%s", user, t.Name())}}, nil
		})
	}
	ann, eve := as("ann"), as("eve")
	edit(t, ann, "/rpc", instance(8001), &discovery.Override{Drain: &discovery.Order{}})
	put := func(all *layout.Overrides) error { all.Put(instance(8001)); return nil }
	if err := eve.EditOverrides(within(t), "/rpc", put); !errors.Is(err, zk.ErrNoAuth) {
		t.Errorf("another one writes: got %v, want %v", err, zk.ErrNoAuth)
	}
	edit(t, ann, "/rpc", instance(8002), &discovery.Override{Drain: &discovery.Order{}})
	sp := spectate(t, eve, "/rpc")
	register(t, eve, "/rpc", instance(8001))
	sp.until("drained", func(u discovery.Update) bool { return shown(u) == "8001d" })
}
