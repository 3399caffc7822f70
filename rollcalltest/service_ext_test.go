// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcalltest_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/balancer"
	"github.com/rollcall-rpc/rollcall/rollcalltest"
)

var whoami = rollcall.Method[string, string]{Name: "Who/AmI", Idempotent: true}

func answering(name string) func(*rollcall.Server) {
	return func(s *rollcall.Server) {
		rollcall.Handle(s, whoami, func(context.Context, *string) (*string, error) { return &name, nil })
	}
}

func TestStart(t *testing.T) {
	c := rollcalltest.Start(t, answering("a"))
	got, err := whoami.Call(t.Context(), c, new(""))
	if err != nil || *got != "a" {
		t.Errorf("got %v, %v", got, err)
	}
}

// A killed server costs no call, and its entry stays in the list.
func TestKill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := rollcalltest.NewService(t)
		victim := s.Serve(rollcall.ServerOptions{}, answering("victim"))
		s.Serve(rollcall.ServerOptions{}, answering("other"))
		c := s.Client(rollcall.ClientOptions{Balancing: balancer.Options{Policy: balancer.RoundRobin}})
		call := func() string {
			got, err := whoami.Call(t.Context(), c, new(""))
			if err != nil {
				t.Fatal(err)
			}
			return *got
		}
		if a, b := call(), call(); a == b {
			t.Errorf("round robin: %s answered twice", a)
		}
		victim.Kill()
		for range 10 {
			if got := call(); got != "other" {
				t.Errorf("%s answered", got)
			}
		}
		synctest.Wait()
		if counts := c.Snapshot().Counts; counts.Listed != 2 || counts.SetAside != 1 {
			t.Errorf("counts: %v", counts)
		}
	})
}

func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := rollcalltest.NewService(t)
		leaver := s.Serve(rollcall.ServerOptions{}, answering("leaver"))
		c := s.Client(rollcall.ClientOptions{})
		if err := c.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		if err := leaver.Drain(); err != nil {
			t.Error(err)
		}
		if got := time.Since(begun); got != rollcall.DefaultDrainDelay {
			t.Errorf("the drain took %v, want %v", got, rollcall.DefaultDrainDelay)
		}
		synctest.Wait()
		_, err := whoami.Call(t.Context(), c, new(""))
		var e *rollcall.Error
		if !errors.As(err, &e) || e.Reason != rollcall.ReasonNoInstance {
			t.Errorf("got %v, want %s", err, rollcall.ReasonNoInstance)
		}
	})
}

// A hung server is found out by keepalive: the call goes to another one, in the
// time that three intervals take.
func TestHungServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := rollcalltest.NewService(t)
		var once sync.Once
		hang := make(chan struct{})
		handler := func(srv *rollcall.Server) {
			rollcall.Handle(srv, whoami, func(context.Context, *string) (*string, error) {
				first := false
				once.Do(func() { first = true })
				if first {
					<-hang // a handler that works is no hung server: pings are answered
				}
				return new("done"), nil
			})
		}
		s.Serve(rollcall.ServerOptions{}, handler)
		s.Serve(rollcall.ServerOptions{}, handler)
		c := s.Client(rollcall.ClientOptions{})
		time.AfterFunc(time.Hour, func() { close(hang) })
		begun := time.Now()
		if _, err := whoami.Call(t.Context(), c, new("")); err != nil {
			t.Error(err)
		}
		if got := time.Since(begun); got != time.Hour {
			t.Errorf("the call took %v: a working handler was taken for a hung server", got)
		}
	})
}

func TestNothingIsLeftBehind(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Run("service", func(t *testing.T) {
		c := rollcalltest.Start(t, answering("a"))
		if _, err := whoami.Call(t.Context(), c, new("")); err != nil {
			t.Error(err)
		}
	})
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for range 10_000 {
		if runtime.NumGoroutine() <= before {
			return
		}
		<-tick.C
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
}
