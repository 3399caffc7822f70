// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/frame"
	"github.com/rollcall-rpc/rollcall/internal/memnet"
)

// The only server of a service that drains is called as long as it serves, on
// old connections and on new ones, and nobody is picked once it has left.
func TestOnlyServerThatDrainsIsCalled(t *testing.T) {
	registry := new(discovery.Memory)
	only := start(t, "", rollcall.ServerOptions{Registrar: registry, ID: "only", DrainDelay: time.Hour}, func(s *rollcall.Server) {
		rollcall.Handle(s, divide, divideOn("only"))
	})
	c, cold := newClient(t, registry, rollcall.ClientOptions{}), newClient(t, registry, rollcall.ClientOptions{})
	if _, err := divide.Call(within(t), c, &fraction{Num2: 1}); err != nil {
		t.Fatal(err)
	}
	await(t, cold, "the list", func() bool { return cold.Snapshot().Counts.Usable == 1 })
	only.drain()
	await(t, c, "the leave", func() bool { return c.Snapshot().Counts.Leaving == 1 })
	for range 10 {
		if _, err := divide.Call(within(t), c, &fraction{Num2: 1}); err != nil {
			t.Fatalf("on the old connection: %v", err)
		}
		if _, err := divide.Call(within(t), cold, &fraction{Num2: 1}); err != nil {
			t.Fatalf("on a new connection: %v", err)
		}
	}
	only.Close()
	await(t, c, "the end", func() bool { return c.Snapshot().Counts.Leaving == 0 })
	_, err := divide.Call(within(t), c, &fraction{Num2: 1})
	wantError(t, err, rollcall.CodeUnavailable, rollcall.ReasonNoInstance, rollcall.ExecutedNo, "0 listed")
}

// What refuses calls because it drains, and has left the list, is forgotten
// though a call in flight keeps its connection: later calls do not ask it again.
func TestDrainedServerIsForgotten(t *testing.T) {
	leaver, c, release := startHolding(t, rollcall.ServerOptions{ID: "leaver", DrainDelay: -1})
	leaver.drain()
	await(t, c, "the leave", func() bool { return c.Snapshot().Counts.Leaving == 1 })
	var err error
	for err == nil { // until the server has come to refusing
		_, err = divide.Call(within(t), c, &fraction{Num2: 1})
	}
	wantError(t, err, rollcall.CodeUnavailable, rollcall.ReasonDraining, rollcall.ExecutedNo)
	_, err = divide.Call(within(t), c, &fraction{Num2: 1})
	wantError(t, err, rollcall.CodeUnavailable, rollcall.ReasonNoInstance, rollcall.ExecutedNo)
	if err := release(); err != nil {
		t.Errorf("the call in flight: %v", err)
	}
}

// A late listener's connections give their first bytes when the test says so,
// whatever their deadline.
type late struct {
	net.Listener
	now chan struct{}
}

func (l late) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	return lateConn{conn, l.now}, err
}

type lateConn struct {
	net.Conn
	now chan struct{}
}

func (c lateConn) Read(b []byte) (int, error) {
	<-c.now
	return c.Conn.Read(b)
}

func (c lateConn) SetReadDeadline(t time.Time) error {
	select {
	case <-c.now:
		return c.Conn.SetReadDeadline(t)
	default:
		return nil
	}
}

// A connection that turns out to be a client's when the server already waits for
// calls in flight does not hold it up: there are none on it.
func TestDrainDoesNotWaitForWhoComesLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var network memnet.Network
		listener, err := network.Listen("server:1")
		if err != nil {
			t.Fatal(err)
		}
		s := rollcall.NewServer(rollcall.ServerOptions{DrainDelay: -1})
		ctx, drain := context.WithCancel(t.Context())
		l, served := late{listener, make(chan struct{})}, make(chan error)
		go func() { served <- s.Serve(ctx, l) }()
		conn, err := network.Dial(t.Context(), "tcp", "server:1")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.Write(frame.AppendPreface(nil, frame.Preface{})); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		drain()
		synctest.Wait()
		if !s.State().Refusing {
			t.Error("the server does not drain")
		}
		begun := time.Now()
		close(l.now)
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
		if took := time.Since(begun); took >= 5*time.Second {
			t.Errorf("Serve took %v for nothing in flight", took)
		}
	})
}
