// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package members_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-rpc/rollcall/balancer"
	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/members"
)

// lists is a Resolver that tells what a test sends.
type lists chan discovery.Update

func (l lists) Watch(ctx context.Context, deliver func(discovery.Update)) error {
	for {
		select {
		case u := <-l:
			deliver(u)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func listOf(names ...string) discovery.Update {
	u := discovery.Update{Source: discovery.SourceLive, Confirmed: time.Now()}
	for i, name := range names {
		u.Instances = append(u.Instances, discovery.Instance{
			Name: name, ID: name, Host: name, Port: 1, Weight: discovery.DefaultWeight, Revision: int64(i),
		})
	}
	return u
}

// A fleet notes what becomes of its peers.
type fleet struct {
	mu      sync.Mutex
	down    map[string]bool
	probed  []string
	retired []string
}

type fleetPeer struct {
	fleet *fleet
	name  string
}

func (f *fleet) attach(e *balancer.Endpoint) members.Peer { return fleetPeer{f, e.Instance.Name} }

func (p fleetPeer) Probe(context.Context, *balancer.Endpoint) error {
	p.fleet.mu.Lock()
	defer p.fleet.mu.Unlock()
	p.fleet.probed = append(p.fleet.probed, p.name)
	if p.fleet.down[p.name] {
		return errors.New("refused")
	}
	return nil
}

func (p fleetPeer) Retire() {
	p.fleet.mu.Lock()
	defer p.fleet.mu.Unlock()
	p.fleet.retired = append(p.fleet.retired, p.name)
}

// start runs a Set until the test ends.
func start(t *testing.T, o members.Options) (set *members.Set, stop func()) {
	t.Helper()
	set = members.New(o)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		set.Run(ctx)
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		<-ended
	})
	t.Cleanup(stop)
	return set, stop
}

// states returns the state of each instance, by name.
func states(set *members.Set) map[string]string {
	m := map[string]string{}
	for _, e := range set.Snapshot().Endpoints {
		m[e.Endpoint.Instance.Name] = e.State.String()
	}
	return m
}

func endpoint(t *testing.T, set *members.Set, name string) *balancer.Endpoint {
	t.Helper()
	for _, e := range set.Snapshot().Endpoints {
		if e.Endpoint.Instance.Name == name {
			return e.Endpoint
		}
	}
	t.Fatalf("%q is not known", name)
	return nil
}

func TestWhatIsToldShows(t *testing.T) {
	for _, tt := range []struct {
		what string
		tell func(*members.Set, *balancer.Endpoint)
		want string
	}{
		{"failed", func(s *members.Set, e *balancer.Endpoint) { s.Failed(e, false) }, "set aside"},
		{"refused", func(s *members.Set, e *balancer.Endpoint) { s.Failed(e, true) }, "set aside"},
		{"back", func(s *members.Set, e *balancer.Endpoint) { s.Failed(e, true); s.Recovered(e) }, "usable"},
		{"silent", func(s *members.Set, e *balancer.Endpoint) { s.Silent(e, true) }, "set aside"},
		{"speaks again", func(s *members.Set, e *balancer.Endpoint) { s.Silent(e, true); s.Silent(e, false) }, "usable"},
		{"draining", func(s *members.Set, e *balancer.Endpoint) { s.Draining(e) }, "draining"},
		{"left", func(s *members.Set, e *balancer.Endpoint) { s.Draining(e); s.Left(e) }, "draining"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, f := make(lists), &fleet{down: map[string]bool{"a": true, "b": true}}
				set, _ := start(t, members.Options{Resolver: l, Attach: f.attach})
				l <- listOf("a", "b")
				synctest.Wait()
				before, changed := set.Current()
				tt.tell(set, endpoint(t, set, "a"))
				if got := states(set); got["a"] != tt.want || got["b"] != "usable" {
					t.Errorf("got %v, want a %s", got, tt.want)
				}
				if set.Snapshot() != before {
					<-changed // or the test hangs
				}
			})
		})
	}
}

func TestProbesUntilBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, f := make(lists), &fleet{down: map[string]bool{"a": true}}
		set, _ := start(t, members.Options{Resolver: l, Attach: f.attach})
		l <- listOf("a", "b")
		synctest.Wait()
		set.Failed(endpoint(t, set, "a"), true)
		time.Sleep(time.Minute)
		f.mu.Lock()
		probed := len(f.probed)
		f.down["a"] = false
		f.mu.Unlock()
		if got := states(set); got["a"] != "set aside" || probed < 5 || probed > 60 {
			t.Errorf("a minute down: %v after %d probes", got, probed)
		}
		time.Sleep(balancer.DefaultBackoffMax)
		if got := states(set); got["a"] != "usable" {
			t.Errorf("up again: %v", got)
		}
	})
}

// A listed server that drained and was restarted got no call for a minute: of a fixed
// list no younger entry tells that it is back.
func TestADrainedServerIsBackSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, f := make(lists), &fleet{down: map[string]bool{"a": true}}
		set, _ := start(t, members.Options{Resolver: l, Attach: f.attach})
		l <- listOf("a", "b")
		synctest.Wait()
		set.Draining(endpoint(t, set, "a"))
		time.Sleep(2 * time.Second)
		if len(f.probed) != 0 {
			t.Errorf("probed while its connection stands: %v", f.probed)
		}
		set.Left(endpoint(t, set, "a"))
		time.Sleep(2 * time.Second)
		f.mu.Lock()
		probed := len(f.probed)
		f.down["a"] = false
		f.mu.Unlock()
		if got := states(set); got["a"] != "draining" || probed < 2 {
			t.Errorf("down: got %v after %d probes, want draining, after some", got, probed)
		}
		time.Sleep(balancer.DefaultBackoffMax)
		if got := states(set); got["a"] != "usable" {
			t.Errorf("up again: got %v", got)
		}
	})
}

// Who is forgotten is retired, once; so is everybody at the end, when nothing of
// the Set is left.
func TestRetires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, f := make(lists), new(fleet)
		_, stop := start(t, members.Options{Resolver: l, Attach: f.attach, Balancing: balancer.Options{LingerFor: -1}})
		l <- listOf("a", "b", "c")
		l <- listOf("a", "b")
		synctest.Wait()
		if !slices.Equal(f.retired, []string{"c"}) {
			t.Errorf("c left: retired %v", f.retired)
		}
		stop()
		if !slices.Equal(f.retired, []string{"c", "a", "b"}) {
			t.Errorf("at the end: retired %v", f.retired)
		}
	})
}

// Changes are told in order and without a gap: each begins where the one before
// ended, and the last one ends with what is known.
func TestChangesAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told [][2]*balancer.Snapshot
		l := make(lists)
		set, stop := start(t, members.Options{Resolver: l, OnChange: func(from, to *balancer.Snapshot) {
			told = append(told, [2]*balancer.Snapshot{from, to})
			if from == to {
				t.Error("no change at all")
			}
		}})
		first := set.Snapshot()
		for i := range 20 {
			l <- listOf("a", fmt.Sprint("b", i%3))
			if i == 0 {
				synctest.Wait() // until a is known
			}
			set.Failed(endpoint(t, set, "a"), false)
			set.Recovered(endpoint(t, set, "a"))
			if i%5 == 0 {
				synctest.Wait()
			}
		}
		synctest.Wait()
		last := set.Snapshot()
		stop()
		for i, change := range told {
			if change[0] != first || change[0] == change[1] {
				t.Fatalf("change %d does not begin where the last one ended", i)
			}
			first = change[1]
		}
		if len(told) < 4 || first != last {
			t.Errorf("%d changes told, the last is the present one: %v", len(told), first == last)
		}
	})
}

// Without peers nobody is probed, and the clock does not run hot.
func TestWithoutPeers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, heard := make(lists), 0
		set, _ := start(t, members.Options{Resolver: l, OnUpdate: func(*discovery.Update) { heard++ }})
		l <- listOf("a", "b")
		synctest.Wait()
		set.Failed(endpoint(t, set, "a"), true)
		time.Sleep(time.Hour) // ends only where nothing is due all the time
		if got := states(set); got["a"] != "set aside" || heard != 1 {
			t.Errorf("got %v, %d lists heard", got, heard)
		}
		set.Recovered(endpoint(t, set, "a"))
		if got := states(set); got["a"] != "usable" {
			t.Errorf("recovered: %v", got)
		}
	})
}

func TestChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, f := make(lists), &fleet{down: map[string]bool{"b": true}}
		var got []string
		set, _ := start(t, members.Options{
			Resolver: l, Attach: f.attach, Balancing: balancer.Options{LingerFor: -1},
			OnChange: func(from, to *balancer.Snapshot) {
				for _, c := range members.Changes(from, to) {
					got = append(got, fmt.Sprintf("%s: %v to %v", c.Endpoint.Instance.Name, c.From, c.To))
				}
			},
		})
		expect := func(when string, want ...string) {
			t.Helper()
			synctest.Wait()
			if !slices.Equal(got, want) {
				t.Errorf("%s: got %q, want %q", when, got, want)
			}
			got = nil
		}
		l <- listOf("a", "b")
		expect("first list", "a: unknown to usable", "b: unknown to usable")
		set.Failed(endpoint(t, set, "b"), true)
		expect("b fails", "b: usable to set aside")
		l <- listOf("a", "b")
		expect("the same list")
		l <- listOf("b", "c")
		expect("a goes, c comes", "c: unknown to usable", "a: usable to unknown")
	})
}
