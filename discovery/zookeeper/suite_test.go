// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zookeeper

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/internal/realtest"
	"github.com/rollcall-rpc/rollcall/zk"
	"github.com/rollcall-rpc/rollcall/zk/zktest"
)

// A neighbour is a running registry.
type neighbour interface {
	Addr() string
	Stop()
	Restart()      // with its data
	RestartEmpty() // without
}

type apache struct{ *realtest.ZooKeeper }

func (a apache) Restart()      { a.Stop(); a.Start() }
func (a apache) RestartEmpty() { a.Stop(); a.StartEmpty() }

// registries runs a test against our server and against Apache ZooKeeper.
func registries(t *testing.T, test func(*testing.T, neighbour)) {
	t.Helper()
	t.Run("zktest", func(t *testing.T) { test(t, zktest.Start(t)) })
	t.Run("apache", func(t *testing.T) { test(t, apache{realtest.Apache(t)}) })
}

// session opens a session that no other test shares.
func session(t testing.TB, addr string, change ...func(*Options)) *Session {
	t.Helper()
	opts := Options{
		SessionTimeout: 2 * time.Second,
		Auths:          []zk.Auth{{Scheme: "digest", Data: []byte(t.Name() + ":x")}},
		ACL:            zk.WorldAnyone(),
		Logger:         slog.New(slog.DiscardHandler),
	}
	for _, c := range change {
		c(&opts)
	}
	s, err := Open([]string{addr}, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

// private gives a session its own ZooKeeper session.
func private(o *Options) {
	o.Auths = append(o.Auths, zk.Auth{Scheme: "digest", Data: fmt.Appendf(nil, "%p:x", o)})
}

// peer opens a plain client, for what others do to a registry.
func peer(t testing.TB, addr string) *zk.Client {
	t.Helper()
	c, err := zk.New([]string{addr}, zk.Options{SessionTimeout: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() }) // its test is over
	return c
}

func instance(port int) discovery.Instance {
	return discovery.Instance{ID: fmt.Sprintf("id%d", port), Host: "127.0.0.1", Port: port, Weight: discovery.DefaultWeight}
}

func register(t testing.TB, s *Session, path string, in discovery.Instance) discovery.Registration {
	t.Helper()
	r, err := s.Registrar(path).Register(in)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func ready(t testing.TB, r discovery.Registration) string {
	t.Helper()
	name, err := r.Ready(within(t))
	if err != nil {
		t.Fatalf("Ready: %v", err)
	}
	return name
}

// patience bounds every wait for an event: it is what a hanging test takes to fail.
const patience = 30 * time.Second

func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// A spectator watches a list.
type spectator struct {
	t       testing.TB
	updates chan discovery.Update
	last    discovery.Update
	stop    func()
}

func spectate(t testing.TB, s *Session, path string) *spectator {
	t.Helper()
	sp := &spectator{t: t, updates: make(chan discovery.Update, 1<<12)}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		err := s.Resolver(path).Watch(ctx, func(u discovery.Update) { sp.updates <- u })
		if !errors.Is(err, context.Canceled) && !errors.Is(err, ErrClosed) {
			t.Errorf("Watch: %v", err)
		}
	}()
	sp.stop = func() { cancel(); <-done }
	t.Cleanup(sp.stop)
	return sp
}

// until waits for an update that is as wanted.
func (sp *spectator) until(what string, ok func(discovery.Update) bool) discovery.Update {
	sp.t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		select {
		case sp.last = <-sp.updates:
			if ok(sp.last) {
				return sp.last
			}
		case <-timer.C:
			sp.t.Fatalf("no update: %s; last: %v %v %v %v", what, ports(sp.last), sp.last.Skipped, sp.last.Source, sp.last.Err)
		}
	}
}

// live waits for a live list of these ports.
func (sp *spectator) live(want ...int) discovery.Update {
	sp.t.Helper()
	return sp.until(fmt.Sprint("live ", want), func(u discovery.Update) bool {
		return u.Source == discovery.SourceLive && cmp.Equal(ports(u), want)
	})
}

func (sp *spectator) source(want discovery.Source) discovery.Update {
	sp.t.Helper()
	return sp.until(want.String(), func(u discovery.Update) bool { return u.Source == want })
}

func ports(u discovery.Update) []int {
	var list []int
	for _, in := range u.Instances {
		list = append(list, in.Port)
	}
	return list
}

// await waits until a registration's status is as wanted.
func await(t testing.TB, r discovery.Registration, what string, ok func(discovery.RegistrationStatus) bool) discovery.RegistrationStatus {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		changed := r.Changed()
		status := r.Status()
		if ok(status) {
			return status
		}
		select {
		case <-changed:
		case <-timer.C:
			t.Fatalf("status is not: %s; it is %+v", what, status)
		}
	}
}
