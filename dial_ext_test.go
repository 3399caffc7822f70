// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"context"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/internal/dialer"
	"github.com/rollcall-rpc/rollcall/internal/memnet"
)

// Of an instance whose name has two dead addresses in front every call failed, for
// ever: the first address had the whole second of a connect. With TLS the name counts,
// and not the address that answers.
func TestNameWithDeadAddresses(t *testing.T) {
	only(t, "it has a network of its own", "tcp")
	ours := newTrust("ours")
	synctest.Test(t, func(t *testing.T) {
		l := memnet.Listen("10.0.0.3:80")
		s := rollcall.NewServer(rollcall.ServerOptions{TLS: ours.server})
		rollcall.Handle(s, divide, divideOn("a"))
		served := make(chan error, 1)
		go func() { served <- s.Serve(context.Background(), l) }()
		d := dialer.Dialer{
			Resolve: func(context.Context, string, string) ([]netip.Addr, error) {
				return []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("10.0.0.3")}, nil
			},
			Connect: func(ctx context.Context, _, address string) (net.Conn, error) {
				if address != l.Addr().String() {
					<-ctx.Done()
					return nil, ctx.Err()
				}
				return l.Dial(ctx)
			},
		}
		c, err := rollcall.NewClient("static://rollcall.test:80", rollcall.ClientOptions{TLS: ours.client, Dial: d.DialContext})
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		if _, err := divide.Call(t.Context(), c, &fraction{Num2: 1}); err != nil || time.Since(begun) != 500*time.Millisecond {
			t.Errorf("got %v after %v, want an answer after 500ms", err, time.Since(begun))
		}
		c.Close()
		s.Close()
		<-served //nolint:errcheck // what comes of it is looked at elsewhere
	})
}

// Of many clients that waited for their only server the last was answered 5 s after it
// had come back. Now all are within little more than a second, with one dial each, and
// while it is away each tries now and then.
func TestManyClientsWaitForOneServer(t *testing.T) {
	tr := newTrial(t)
	const clients, away = 200, 30 * time.Second
	var dials atomic.Int64
	tr.next = func(string) death {
		dials.Add(1)
		return death{}
	}
	synctest.Test(t, func(t *testing.T) {
		tr.t = t
		server := tr.serve("server:1", rollcall.ServerOptions{Logger: discard})
		list := listOf(discovery.Instance{Name: "s", ID: "server:1", Host: "server", Port: 1, Weight: 1, Protocols: []string{rollcall.ProtocolName}})
		all := make([]*rollcall.Client, clients)
		for i := range all {
			var err error
			if all[i], err = rollcall.NewClient("memory", rollcall.ClientOptions{Resolver: list, Dial: tr.dial, Logger: discard}); err != nil {
				t.Fatal(err)
			}
			if err := all[i].Ready(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		for _, conn := range tr.network.Conns("server:1") {
			conn.Cut()
		}
		server.Close()
		synctest.Wait()
		dials.Store(0)
		answered := make(chan time.Time, clients)
		for i, c := range all {
			go func() {
				if err := tr.call(t.Context(), c, uint64(i), 0, false, rollcall.CallOptions{WaitForReady: true}); err != nil {
					t.Error(err)
				}
				answered <- time.Now()
			}()
		}
		time.Sleep(away)
		// Two probes a second, and each time the call looks itself.
		if n := dials.Load(); n > clients*5*int64(away/time.Second) {
			t.Errorf("%d dials within %v, want 5 a second at most for each of %d clients", n, away, clients)
		}
		dials.Store(0)
		back := time.Now()
		server = tr.serve("server:1", rollcall.ServerOptions{Logger: discard})
		var last time.Duration
		for range clients {
			last = max(last, (<-answered).Sub(back))
		}
		if last > 1100*time.Millisecond || dials.Load() != clients {
			t.Errorf("the last is answered after %v, with %d dials; want 1.1s at most, and %d", last, dials.Load(), clients)
		}
		for _, c := range all {
			c.Close()
		}
		server.Close()
	})
}

// Where a server had more handshakes at once than it could do within a second, every
// client gave up and began anew, and none was ever served. Now a client that has said
// that the instance is slow waits on: one connection each is all the server sees.
func TestSlowHandshakesDoNotMultiply(t *testing.T) {
	tr := newTrial(t)
	const clients = 20
	var dials atomic.Int64
	tr.next = func(string) death {
		dials.Add(1)
		return death{}
	}
	synctest.Test(t, func(t *testing.T) {
		tr.t = t
		l := must(tr.network.Listen("busy:1"))
		s := rollcall.NewServer(rollcall.ServerOptions{ID: "busy:1", Logger: discard})
		rollcall.Handle(s, once, func(_ context.Context, in *[]byte) (*[]byte, error) { return in, nil })
		served := make(chan error, 1)
		go func() { served <- s.Serve(context.Background(), slowAccept{l, 300 * time.Millisecond}) }()
		list := listOf(discovery.Instance{Name: "s", ID: "busy:1", Host: "busy", Port: 1, Weight: 1, Protocols: []string{rollcall.ProtocolName}})
		all := make([]*rollcall.Client, clients)
		answered := make(chan error, clients)
		begun := time.Now()
		for i := range all {
			all[i] = must(rollcall.NewClient("memory", rollcall.ClientOptions{Resolver: list, Dial: tr.dial, Logger: discard}))
			go func() {
				answered <- tr.call(t.Context(), all[i], uint64(i), 0, false, rollcall.CallOptions{WaitForReady: true, Timeout: time.Minute})
			}()
		}
		for range clients {
			if err := <-answered; err != nil {
				t.Error(err)
			}
		}
		if took := time.Since(begun); took > 7*time.Second || dials.Load() != clients {
			t.Errorf("all are answered after %v, with %d dials; want 20 handshakes of 300ms, and %d", took, dials.Load(), clients)
		}
		for _, c := range all {
			c.Close()
		}
		s.Close()
		<-served //nolint:errcheck // what comes of it is looked at elsewhere
	})
}

// slowAccept is a listener of a server that has so much to do for each connection.
type slowAccept struct {
	net.Listener
	each time.Duration
}

func (l slowAccept) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil {
		time.Sleep(l.each)
	}
	return conn, err
}
