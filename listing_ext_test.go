// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/internal/memnet"
	"github.com/rollcall-rpc/rollcall/zk"
)

// A puppet is a registrar whose entries come and go as the test says.
type puppet struct {
	mu      sync.Mutex // guards what follows
	status  discovery.RegistrationStatus
	changed chan struct{}
	entries int // that were registered
	left    int // that were deregistered
}

func newPuppet(err error) *puppet {
	return &puppet{status: discovery.RegistrationStatus{Err: err}, changed: make(chan struct{})}
}

func (p *puppet) set(status discovery.RegistrationStatus) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status = status
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *puppet) Register(discovery.Instance) (discovery.Registration, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.entries++
	return p, nil
}

func (p *puppet) Ready(context.Context) (string, error) { return p.Status().Name, p.Status().Err }

func (p *puppet) Status() discovery.RegistrationStatus {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.status
}

func (p *puppet) Changed() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.changed
}

func (p *puppet) Deregister(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left++
	return nil
}

// servePuppet serves in a bubble, on a network in memory, until stop is called.
func servePuppet(t *testing.T, p *puppet, events rollcall.ServerEvents) (s *rollcall.Server, log *logLines, stop func()) {
	t.Helper()
	network, log := new(memnet.Network), new(logLines)
	l, err := network.Listen("server:1")
	if err != nil {
		t.Fatal(err)
	}
	s = rollcall.NewServer(rollcall.ServerOptions{Registrar: p, Advertise: "server:1", Logger: log.logger(), Events: events, DrainDelay: -1})
	ctx, drain := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, l) }()
	synctest.Wait()
	return s, log, func() {
		drain()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	}
}

// A server that is not in the list says so after a second, each minute, and when
// it is well again, with how long that was.
func TestNotListedIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPuppet(errors.New("no answer"))
		_, log, stop := servePuppet(t, p, rollcall.ServerEvents{})
		warnings := func(want int, parts ...string) {
			t.Helper()
			synctest.Wait()
			if lines, _ := log.with("level=WARN"); len(lines) != want {
				t.Errorf("%d warnings, want %d:\n%s", len(lines), want, strings.Join(lines, ""))
			} else if want > 0 {
				for _, part := range parts {
					if !strings.Contains(lines[want-1], part) {
						t.Errorf("the last warning does not say %q: %s", part, lines[want-1])
					}
				}
			}
		}
		time.Sleep(999 * time.Millisecond)
		warnings(0)
		time.Sleep(time.Millisecond)
		warnings(1, "not in the list yet", "not_listed_for=1s", "no answer")
		p.set(discovery.RegistrationStatus{Err: errors.New("still no answer")})
		time.Sleep(time.Minute - time.Nanosecond)
		warnings(1)
		time.Sleep(time.Nanosecond)
		warnings(2, "not_listed_for=1m1s", "still no answer")
		p.set(discovery.RegistrationStatus{Registered: true, Name: "server7"})
		time.Sleep(time.Hour)
		warnings(2)
		log.once(t, "level=INFO", "msg=\"in the list\"", "instance=server7", "not_listed_for=1m1s")

		p.set(discovery.RegistrationStatus{Err: errors.New("gone")}) // for a moment
		time.Sleep(time.Second - time.Nanosecond)
		p.set(discovery.RegistrationStatus{Registered: true, Name: "server8"})
		time.Sleep(time.Hour)
		warnings(2)
		p.set(discovery.RegistrationStatus{Err: zk.ErrNoAuth}) // what will not go away is told at once
		warnings(3, "not in the list any more", zk.ErrNoAuth.Error(), "not_listed_for=0s")
		stop()
		warnings(3)
	})
}

// What becomes of the entry is told, with how long it was as it was, and why it was
// lost as soon as that is known.
func TestServerRegistrationEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []rollcall.RegistrationInfo
		p := newPuppet(errors.New("no answer"))
		s, _, stop := servePuppet(t, p, rollcall.ServerEvents{Registration: func(i rollcall.RegistrationInfo) { got = append(got, i) }})
		gone := errors.New("gone")
		expired := map[discovery.Loss]int{discovery.LossExpired: 1}
		deleted := map[discovery.Loss]int{discovery.LossExpired: 1, discovery.LossDeleted: 1}
		for _, status := range []discovery.RegistrationStatus{
			{Registered: true, Name: "a"},
			{Name: "a", Err: gone},
			{Registered: true, Name: "b", LastLoss: discovery.LossExpired, Losses: expired},
			{Registered: true, Name: "c", LastLoss: discovery.LossDeleted, Losses: deleted},
			{Err: gone, LastLoss: discovery.LossDeleted, Losses: deleted},
			{Registered: true, Name: "c", LastLoss: discovery.LossDeleted, Losses: deleted, Since: time.Now().Add(6 * time.Second)},
		} {
			time.Sleep(time.Second)
			p.set(status)
			synctest.Wait()
		}
		time.Sleep(time.Second)
		s.SetServing(false)
		want := []rollcall.RegistrationInfo{
			{Phase: rollcall.RegistrationListed, Entry: "a", Elapsed: time.Second},
			{Phase: rollcall.RegistrationMissing, Entry: "a", Elapsed: time.Second, Err: gone},
			{Phase: rollcall.RegistrationListed, Entry: "b", Elapsed: time.Second, Loss: discovery.LossExpired},
			{Phase: rollcall.RegistrationMissing, Entry: "b", Elapsed: time.Second, Loss: discovery.LossDeleted},
			{Phase: rollcall.RegistrationListed, Entry: "c", Loss: discovery.LossDeleted},
			{Phase: rollcall.RegistrationMissing, Entry: "c", Elapsed: time.Second, Err: gone},
			{Phase: rollcall.RegistrationListed, Entry: "c", Elapsed: time.Second},
			{Phase: rollcall.RegistrationLeft, Entry: "c", Elapsed: time.Second},
		}
		if !slices.Equal(got, want) {
			t.Errorf("got\n%v\nwant\n%v", got, want)
		}
		stop()
		if len(got) != len(want) {
			t.Errorf("told of %v after the entry had left", got[len(want):])
		}
	})
}

// A server that is set not to serve is not in the list, answers the calls that
// still come, and registers again when it is set to serve, unless it stops.
func TestSetServing(t *testing.T) {
	registry := new(discovery.Memory)
	s := start(t, "", rollcall.ServerOptions{Registrar: registry, ID: "a", DrainDelay: -1}, func(s *rollcall.Server) {
		rollcall.Handle(s, divide, divideOn("a"))
	})
	c := staticClient(t, s.addr)
	expect := func(what string, serving bool, listed int) {
		t.Helper()
		if got := s.State().Serving; got != serving {
			t.Errorf("%s: serving is %t", what, got)
		}
		if list := instances(t, registry); len(list) != listed {
			t.Errorf("%s: %d instances in the list, want %d", what, len(list), listed)
		}
	}
	expect("at first", true, 1)
	for range 2 {
		s.SetServing(false)
		s.SetServing(false)
		expect("set not to serve", false, 0)
		if _, err := divide.Call(within(t), c, &fraction{Num2: 1}); err != nil {
			t.Errorf("a call to a server that is not in the list: %v", err)
		}
		if _, err := s.Registered(within(t)); !errors.Is(err, discovery.ErrDeregistered) {
			t.Errorf("Registered: %v, want ErrDeregistered", err)
		}
		s.SetServing(true)
		s.SetServing(true)
		expect("set to serve", true, 1)
		if _, err := s.Registered(within(t)); err != nil {
			t.Errorf("Registered: %v", err)
		}
	}
	s.SetServing(false)
	s.drain()
	<-s.ended
	s.SetServing(true)
	expect("after the end", false, 0)
}

// A server may be set not to serve before it begins.
func TestSetServingBeforeServe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPuppet(nil)
		var network memnet.Network
		l, err := network.Listen("server:1")
		if err != nil {
			t.Fatal(err)
		}
		s := rollcall.NewServer(rollcall.ServerOptions{Registrar: p, Advertise: "server:1", Logger: new(logLines).logger()})
		s.SetServing(false)
		served := make(chan error, 1)
		go func() { served <- s.Serve(t.Context(), l) }()
		synctest.Wait()
		if p.entries != 0 {
			t.Error("a server that was set not to serve before Serve registers")
		}
		s.SetServing(true)
		synctest.Wait()
		if p.entries != 1 {
			t.Errorf("%d entries, want 1", p.entries)
		}
		s.Close()
		<-served //nolint:errcheck // ErrServerClosed
		if p.left == 0 {
			t.Error("the server's end leaves the entry there")
		}
	})
}
