// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"context"
	"crypto/tls"
	"net"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/internal/transport"
)

// A neighbour that closes what is idle loses no call, idempotent or not, where its
// connections cannot be asked either: nothing can be written on them.
func TestNeighbourClosesIdleConnections(t *testing.T) {
	for _, idempotent := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			h := inMemory(t, &neighbour{idle: 200 * time.Millisecond}, rollcall.Dialect{})
			defer h.close()
			for i := range 12 {
				report := new(rollcall.Report)
				if err := h.call(t.Context(), "M", rollcall.CallOptions{Idempotent: idempotent, MaxAttempts: 1, Report: report}); err != nil {
					t.Errorf("call %d: %v", i, err)
				}
				h.wantUsable(t, true)
				time.Sleep(400 * time.Millisecond)
			}
			if n := h.requests.Load(); n != 12 {
				t.Errorf("%d requests, want 12", n)
			}
		})
	}
}

// The socket of a connection is asked before it is used again, below TLS too: what
// its neighbour has closed is not written to.
func TestDialectAsksTheSocket(t *testing.T) {
	only(t, "it has a network of its own", "tcp")
	if runtime.GOOS == "windows" {
		t.Skip("the sockets of this system cannot be asked")
	}
	trust := newTrust("all")
	for name, config := range map[string]*tls.Config{"clear text": nil, "TLS": trust.client} {
		t.Run(name, func(t *testing.T) {
			l := must(net.Listen("tcp", "127.0.0.1:0"))
			if config != nil {
				l = tls.NewListener(l, trust.server)
			}
			accepted := make(chan net.Conn, 1)
			n := &neighbour{Listener: &tapped{l, accepted}}
			go n.serve()
			defer l.Close()
			in := slowInstance
			in.Protocols, in.Host, in.Port = []string{"lines"}, "127.0.0.1", l.Addr().(*net.TCPAddr).Port
			in.TLS = config != nil
			var socket atomic.Pointer[net.TCPConn] // of the last connection
			c := lineClient(t, listOf(in), rollcall.Dialect{}, rollcall.ClientOptions{TLS: config, Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
				conn, err := new(net.Dialer).DialContext(ctx, network, addr)
				if err == nil {
					socket.Store(conn.(*net.TCPConn))
				}
				return conn, err
			}})
			defer c.Close()
			for i := range 12 {
				report := new(rollcall.Report)
				if _, err := c.Invoke(within(t), "M", nil, rollcall.CallOptions{Report: report}); err != nil || len(report.Attempts) > 0 {
					t.Fatalf("call %d: %v, after %d attempts that failed", i, err, len(report.Attempts))
				}
				(<-accepted).Close()
				awaitUnread(t, socket.Load())
			}
			if counts := c.Snapshot().Counts; counts.Usable != 1 || n.requests.Load() != 12 || n.dialled.Load() != 12 {
				t.Errorf("%v, %d requests on %d connections, want 1 usable, 12 and 12", counts, n.requests.Load(), n.dialled.Load())
			}
		})
	}
}

// A tapped listener tells of the connections that it accepts.
type tapped struct {
	net.Listener
	accepted chan<- net.Conn
}

func (l *tapped) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil {
		l.accepted <- conn
	}
	return conn, err
}

// awaitUnread waits until something is to be read on a socket, and leaves it there.
func awaitUnread(t *testing.T, socket *net.TCPConn) {
	t.Helper()
	probe := transport.NewProbe(socket)
	raw, err := socket.SyscallConn()
	if err == nil {
		err = raw.Read(func(uintptr) bool { return probe.Peek() != transport.PendingNone })
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A connection that ends under a call, before its answer, speaks against the instance
// where it is new. Where it was there before it does not; an idempotent call is made
// again, any other may have been executed.
func TestDialectConnectionEndsUnderACall(t *testing.T) {
	for name, tt := range map[string]struct {
		opts              rollcall.CallOptions
		served            int    // requests that a connection answers
		rest              string // of an answer that ends with the connection
		lost              bool
		requests, dialled int64 // of the call, and all in all
		usable            bool
	}{
		"old":                 {served: 1, lost: true, requests: 1, dialled: 1, usable: true},
		"old, idempotent":     {served: 1, opts: rollcall.CallOptions{Idempotent: true}, requests: 2, dialled: 2, usable: true},
		"new":                 {served: 0, lost: true, requests: 1, dialled: 1},
		"new, idempotent":     {served: 0, opts: rollcall.CallOptions{Idempotent: true}, lost: true, requests: 2, dialled: 2},
		"old, in its answer":  {served: 1, lost: true, requests: 1, dialled: 1, rest: "M"},
		"old, with one to go": {served: 1, opts: rollcall.CallOptions{Idempotent: true, MaxAttempts: 1}, lost: true, requests: 1, dialled: 1, usable: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := inMemory(t, &neighbour{answer: answersFirst(tt.served, tt.rest)}, rollcall.Dialect{})
				defer h.close()
				if tt.served > 0 {
					if err := h.call(t.Context(), "before", rollcall.CallOptions{}); err != nil {
						t.Fatal(err)
					}
				}
				before := h.requests.Load()
				err := h.call(t.Context(), "M", tt.opts)
				synctest.Wait()
				if tt.lost {
					wantError(t, err, rollcall.CodeUnavailable, rollcall.ReasonConnection, rollcall.ExecutedMaybe)
				} else if err != nil {
					t.Error(err)
				}
				if r, d := h.requests.Load()-before, h.dialled.Load(); r != tt.requests || d != tt.dialled {
					t.Errorf("%d requests, %d connections, want %d and %d", r, d, tt.requests, tt.dialled)
				}
				h.wantUsable(t, tt.usable)
			})
		})
	}
}

// However often connections end of age, the instance is not ejected for it.
func TestDialectAgeEjectsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := inMemory(t, &neighbour{answer: answersFirst(1, "")}, rollcall.Dialect{})
		defer h.close()
		for range 50 {
			if err := h.call(t.Context(), "M", rollcall.CallOptions{}); err != nil {
				t.Fatal(err)
			}
			h.call(t.Context(), "M", rollcall.CallOptions{}) //nolint:errcheck // it is lost
			time.Sleep(time.Second)
			synctest.Wait()
			h.wantUsable(t, true)
		}
	})
}

// What no call has needed for the idle limit is closed, and not before.
func TestDialectIdleTimeout(t *testing.T) {
	for name, tt := range map[string]struct{ limit, idle time.Duration }{
		"the default": {0, rollcall.DefaultDialectIdleTimeout},
		"a minute":    {time.Minute, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := inMemory(t, new(neighbour), rollcall.Dialect{IdleTimeout: tt.limit})
				defer h.close()
				for range 3 {
					if err := h.call(t.Context(), "M", rollcall.CallOptions{}); err != nil {
						t.Fatal(err)
					}
					time.Sleep(tt.idle - 1)
					synctest.Wait()
				}
				if open, dialled := h.open.Load(), h.dialled.Load(); open != 1 || dialled != 1 {
					t.Errorf("%d of %d connections stand within the limit, want 1 of 1", open, dialled)
				}
				time.Sleep(time.Nanosecond)
				synctest.Wait()
				if open, state := h.open.Load(), h.State().Instances[0]; open != 0 || state.Connections != 0 {
					t.Errorf("%d connections stand beyond the limit, and the client has %d, want none", open, state.Connections)
				}
				if err := h.call(t.Context(), "M", rollcall.CallOptions{}); err != nil {
					t.Error(err)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		h := inMemory(t, new(neighbour), rollcall.Dialect{IdleTimeout: -1})
		defer h.close()
		for range 2 {
			if err := h.call(t.Context(), "M", rollcall.CallOptions{}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(24 * time.Hour)
		}
		if n := h.dialled.Load(); n != 1 {
			t.Errorf("%d connections without a limit, want 1", n)
		}
	})
}
