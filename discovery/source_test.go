// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// watch calls Watch in the background and hands over its updates one by one.
func watch(t *testing.T, r Resolver) <-chan Update {
	t.Helper()
	updates, done := make(chan Update), make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer close(done)
		err := r.Watch(ctx, func(u Update) {
			select {
			case updates <- u:
			case <-ctx.Done():
			}
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Watch: got %v, want %v", err, context.Canceled)
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	return updates
}

func names(u Update) []string {
	list := []string{}
	for _, in := range u.Instances {
		list = append(list, in.Name)
	}
	return list
}

func wantNames(t *testing.T, u Update, want ...string) {
	t.Helper()
	if want == nil {
		want = []string{}
	}
	if diff := cmp.Diff(names(u), want); diff != "" {
		t.Errorf("names, got - want +:\n%s", diff)
	}
}

func TestStatic(t *testing.T) {
	static, err := NewStatic([]string{"a:1", "[::1]:2"})
	if err != nil {
		t.Fatal(err)
	}
	u := <-watch(t, static)
	wantNames(t, u, "a:1", "[::1]:2")
	if u.Source != SourceStatic || u.Confirmed.IsZero() || u.Err != nil {
		t.Errorf("got %v, %v, %v, want static, now, nil", u.Source, u.Confirmed, u.Err)
	}
	want := Instance{Name: "[::1]:2", Host: "::1", Port: 2, Weight: DefaultWeight}
	if diff := cmp.Diff(u.Instances[1], want); diff != "" {
		t.Errorf("instance, got - want +:\n%s", diff)
	}
	var typed *TargetError
	if _, err := NewStatic([]string{"a:1", "b"}); !errors.As(err, &typed) || typed.Value != "b" {
		t.Errorf("got %v, want a *TargetError of b", err)
	}
}

func TestMemory(t *testing.T) {
	var m Memory
	updates := watch(t, &m)
	wantNames(t, <-updates)

	a, err := m.Register(Instance{ID: "a", Host: "h", Port: 1})
	if err != nil {
		t.Fatal(err)
	}
	wantNames(t, <-updates, "server0000000000")
	if name, err := a.Ready(t.Context()); name != "server0000000000" || err != nil {
		t.Errorf("Ready: got %q, %v", name, err)
	}
	if _, err := m.Register(Instance{ID: "b", Host: "h", Port: 2}); err != nil {
		t.Fatal(err)
	}
	wantNames(t, <-updates, "server0000000000", "server0000000001")

	twin, err := m.Register(Instance{ID: "a", Host: "h", Port: 3})
	if err != nil {
		t.Fatal(err)
	}
	u := <-updates
	wantNames(t, u, "server0000000001", "server0000000002")
	if err := twin.Deregister(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantNames(t, <-updates, "server0000000000", "server0000000001")
	wantNames(t, u, "server0000000001", "server0000000002") // as it was

	for range 2 {
		if err := a.Deregister(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	wantNames(t, <-updates, "server0000000001")
	if _, err := a.Ready(t.Context()); !errors.Is(err, ErrDeregistered) {
		t.Errorf("Ready: got %v, want %v", err, ErrDeregistered)
	}
	if s := a.Status(); s.Registered || !errors.Is(s.Err, ErrDeregistered) {
		t.Errorf("Status: got %+v", s)
	}
}

func TestMemorySet(t *testing.T) {
	var m Memory
	r, err := m.Register(Instance{Host: "h", Port: 1})
	if err != nil {
		t.Fatal(err)
	}
	m.Set([]Instance{{Name: "y", Revision: 9}, {Name: "z", Revision: 3}, {Name: "x", Revision: 9}})
	updates := watch(t, &m)
	wantNames(t, <-updates, "z", "x", "y")
	if s := r.Status(); s.Registered || s.Err == nil {
		t.Errorf("Status after Set: got %+v", s)
	}
	changed := r.Changed()
	select {
	case <-changed:
		t.Error("Changed: closed before anything changed")
	default:
	}
	if err := r.Deregister(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-changed
	if s := r.Status(); !errors.Is(s.Err, ErrDeregistered) {
		t.Errorf("Status after the change: got %+v", s)
	}
	if _, err := m.Register(Instance{Host: "h", Port: 1}); err != nil {
		t.Fatal(err)
	}
	wantNames(t, <-updates, "z", "x", "y", "server0000000001")
}

func TestMemoryRefuses(t *testing.T) {
	var m Memory
	var typed *FieldError
	if _, err := m.Register(Instance{Host: "h"}); !errors.As(err, &typed) || typed.Field != "port" {
		t.Errorf("got %v, want an error of the port", err)
	}
}

func TestSourceString(t *testing.T) {
	got := fmt.Sprint(SourceNone, SourceStatic, SourceLive, SourceStale, Source(0))
	if want := "none static live stale unknown"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLossString(t *testing.T) {
	got := fmt.Sprint(LossExpired, LossDeleted, LossChanged, LossReplaced, LossWiped, Loss(0))
	if want := "expired deleted changed replaced wiped unknown"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func ExampleMemory() {
	var registry Memory
	if _, err := registry.Register(Instance{Host: "127.0.0.1", Port: 8001}); err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	registry.Watch(ctx, func(u Update) { //nolint:errcheck // it is the cancellation
		fmt.Println(u.Source, u.Instances[0].Addr())
		cancel()
	})
	// Output: live 127.0.0.1:8001
}
