// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zkserver"
	"github.com/rollcall-rpc/rollcall/zk/zkserver/internal/crashfs"
	"github.com/rollcall-rpc/rollcall/zk/zkserver/store"
)

// A pipeListener hands out in-memory connections.
type pipeListener struct {
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

func (l *pipeListener) dial(t *testing.T) *rawConn {
	t.Helper()
	client, server := net.Pipe()
	l.conns <- server
	return &rawConn{t: t, nc: client}
}

func (l *pipeListener) open(t *testing.T, timeout time.Duration) *rawConn {
	t.Helper()
	c := l.dial(t)
	c.handshake(jute.ConnectRequest{TimeoutMillis: int32(timeout.Milliseconds()), HasReadOnly: true})
	return c
}

// inBubble runs f with a server on a clock of its own, with ticks of 1 s.
func inBubble(t *testing.T, f func(t *testing.T, s *zkserver.Server, l *pipeListener)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { servePipes(t, zkserver.Options{}, f) })
}

func servePipes(t *testing.T, opts zkserver.Options, f func(t *testing.T, s *zkserver.Server, l *pipeListener)) {
	t.Helper()
	opts.TickTime = time.Second
	s, err := zkserver.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	l := newPipeListener()
	done := make(chan error, 1)
	go func() { done <- s.Serve(t.Context(), l) }()
	f(t, s, l)
	s.Close()
	<-done //nolint:errcheck // what comes of it is looked at elsewhere
}

func ping(c *rawConn) {
	c.t.Helper()
	c.write(request(jute.XidPing, jute.OpPing, nil))
	if m := c.message(); m.Xid != jute.XidPing {
		c.t.Errorf("ping: got xid %d", m.Xid)
	}
}

func TestAbandonedSessionExpires(t *testing.T) {
	inBubble(t, func(t *testing.T, s *zkserver.Server, l *pipeListener) {
		obs := l.open(t, 20*time.Second)
		obs.create("/p", 0)
		for _, pause := range []time.Duration{0, 300 * time.Millisecond, 990 * time.Millisecond} {
			time.Sleep(pause)
			c := l.open(t, 4*time.Second)
			c.create("/p/e", 1)
			last := time.Now()
			c.nc.Close()
			obs.must(jute.OpExists, &jute.PathWatchRequest{Path: "/p/e", Watch: true}, nil)
			m := obs.message()
			if e := m.event(t); e.Type != jute.EventNodeDeleted {
				t.Errorf("got %v, want NodeDeleted", e.Type)
			}
			if took := time.Since(last); took <= 4*time.Second || took > 5*time.Second {
				t.Errorf("expired after %v, want more than 4s and at most 5s", took)
			}
			if got := len(s.Sessions()); got != 1 {
				t.Errorf("got %d sessions, want 1", got)
			}
		}
		obs.nc.Close()
	})
}

// A session of a server that was killed has its whole timeout from the start of
// the next one on, however long that took, and no more.
func TestSessionExpiresAfterRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := crashfs.New("data")
		var left *crashfs.FS
		servePipes(t, zkserver.Options{Store: store.Options{FS: fs}}, func(t *testing.T, _ *zkserver.Server, l *pipeListener) {
			c := l.open(t, 4*time.Second)
			c.create("/e", jute.FlagEphemeral)
			time.Sleep(3900 * time.Millisecond)
			left = fs.Kill()
			c.nc.Close()
		})
		time.Sleep(time.Hour)
		servePipes(t, zkserver.Options{Store: store.Options{FS: left}}, func(t *testing.T, _ *zkserver.Server, l *pipeListener) {
			start := time.Now()
			c := l.open(t, 20*time.Second)
			c.must(jute.OpExists, &jute.PathWatchRequest{Path: "/e", Watch: true}, nil)
			m := c.message()
			if e, took := m.event(t), time.Since(start); e.Type != jute.EventNodeDeleted || took <= 4*time.Second || took > 5*time.Second {
				t.Errorf("%v after %v, want NodeDeleted after more than 4s and at most 5s", e.Type, took)
			}
			c.nc.Close()
		})
	})
}

func TestSilentSessionExpires(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *zkserver.Server, l *pipeListener) {
		c := l.open(t, 4*time.Second)
		last := time.Now()
		c.wantEOF()
		if took := time.Since(last); took <= 4*time.Second || took > 5*time.Second {
			t.Errorf("cut off after %v, want more than 4s and at most 5s", took)
		}
		n := l.dial(t)
		resp := n.handshake(jute.ConnectRequest{SessionID: c.id, Password: c.password})
		if resp.TimeoutMillis != 0 || resp.SessionID != 0 {
			t.Errorf("re-attach: got %+v, want expired", resp)
		}
		n.wantEOF()
	})
}

func TestSessionsKeptAlive(t *testing.T) {
	for name, sign := range map[string]func(c *rawConn){
		"pings":  ping,
		"reads":  func(c *rawConn) { c.stat("/") },
		"writes": func(c *rawConn) { c.must(jute.OpSetData, &jute.SetDataRequest{Path: "/", Version: -1}, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *zkserver.Server, l *pipeListener) {
				c := l.open(t, 4*time.Second)
				for range 10 {
					time.Sleep(2 * time.Second)
					sign(c)
				}
				if got := len(s.Sessions()); got != 1 {
					t.Errorf("got %d sessions, want 1", got)
				}
				c.nc.Close()
			})
		})
	}
}

func TestReattachRenewsTimeout(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *zkserver.Server, l *pipeListener) {
		c := l.open(t, 4*time.Second)
		time.Sleep(3900 * time.Millisecond)
		n := l.dial(t)
		resp := n.handshake(jute.ConnectRequest{SessionID: c.id, Password: c.password, TimeoutMillis: 6000})
		if resp.TimeoutMillis != 6000 {
			t.Errorf("timeout: got %d, want 6000", resp.TimeoutMillis)
		}
		last := time.Now()
		n.wantEOF()
		if took := time.Since(last); took <= 6*time.Second || took > 7*time.Second {
			t.Errorf("expired after %v, want more than 6s and at most 7s", took)
		}
		c.nc.Close()
	})
}

// A turnedClock stands still until it is turned.
type turnedClock struct {
	mu    sync.Mutex // guards now
	now   time.Time
	waits chan chan time.Time // one for each call of After
}

func newTurnedClock() *turnedClock {
	return &turnedClock{now: time.Unix(1e9, 0), waits: make(chan chan time.Time)}
}

func (c *turnedClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *turnedClock) After(d time.Duration) <-chan time.Time {
	if d >= time.Minute {
		return nil // not a tick
	}
	ch := make(chan time.Time, 1)
	c.waits <- ch
	return ch
}

// turn lets d pass and the server's wait end, and returns the next wait: the
// server is done with what was due.
func (c *turnedClock) turn(wait chan time.Time, d time.Duration) chan time.Time {
	wait <- c.pass(d)
	return <-c.waits
}

// pass lets d pass while nobody waits.
func (c *turnedClock) pass(d time.Duration) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	return c.now
}

// After the process has stood still, requests may wait unread: nobody is taken
// for dead before he had a tick's time to be heard.
func TestStalledServerForgives(t *testing.T) {
	clock := newTurnedClock()
	s, addr := startServer(t, zkserver.Options{TickTime: time.Second, Clock: clock})
	wait := <-clock.waits
	c := open(t, addr, 4*time.Second)
	c.create("/e", 1)
	sessions := func() int { return len(s.Sessions()) }
	wait = clock.turn(wait, time.Hour)
	if got := sessions(); got != 1 {
		t.Fatalf("after a stall: got %d sessions, want 1", got)
	}
	ping(c)
	for i := range 4 {
		wait = clock.turn(wait, time.Second)
		if got := sessions(); got != 1 {
			t.Fatalf("%d s after a ping: got %d sessions, want 1", i+1, got)
		}
	}
	wait = clock.turn(wait, time.Second)
	if got := sessions(); got != 0 {
		t.Errorf("5 s after a ping: got %d sessions, want 0", got)
	}
	c.wantEOF()
	// An hour passed, but not for sessions; nodes were dated by the clock.
	c = open(t, addr, 4*time.Second)
	c.create("/n", 0)
	if got, want := c.stat("/n").Ctime, clock.Now().UnixMilli(); got != want {
		t.Errorf("ctime: got %d, want %d", got, want)
	}
	_ = wait
}

func TestServeAgain(t *testing.T) {
	s, err := zkserver.New(zkserver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	serve := func() (addr string, stop func()) {
		var lc net.ListenConfig
		l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Serve(ctx, l) }()
		return l.Addr().String(), func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("Serve after its context has ended: got %v, want nil", err)
			}
		}
	}
	addr, stop := serve()
	c := open(t, addr, 10*time.Second)
	c.create("/e", 1)
	stop()
	c.wantEOF()
	if s.ExpireSession(c.id) {
		t.Error("ExpireSession while nothing is served: got true, want false")
	}
	addr, stop = serve()
	n, resp := c.reattach(addr)
	if resp.SessionID != c.id || !n.exists("/e") {
		t.Errorf("after a pause: got session 0x%x, want 0x%x and its node", resp.SessionID, c.id)
	}
	info := s.Sessions()
	if len(info) != 1 || info[0].ID != c.id || info[0].Ephemerals != 1 || info[0].Remote == nil || info[0].Timeout != 10*time.Second {
		t.Errorf("Sessions: got %+v", info)
	}
	if !s.CutConnection(c.id) {
		t.Error("CutConnection: got false, want true")
	}
	n.wantEOF()
	if s.CutConnection(c.id) {
		t.Error("CutConnection again: got true, want false")
	}
	if !s.ExpireSession(c.id) || s.ExpireSession(c.id) || len(s.Sessions()) != 0 {
		t.Errorf("ExpireSession: want true, then false, and no session")
	}
	stop()
	s.Close()
	s.Close()
	if err := s.ListenAndServe(t.Context(), "127.0.0.1:0"); err == nil {
		t.Error("ListenAndServe after Close: got nil, want an error")
	}
}

// A slowListener takes its time to close, after it has stopped accepting.
type slowListener struct {
	*pipeListener
	first sync.Once
	end   chan struct{}
}

func (l *slowListener) Close() error {
	l.pipeListener.Close()
	l.first.Do(func() { <-l.end })
	return nil
}

// Serve once returned while the listener was still closing: its port was still
// taken when somebody wanted to listen again.
func TestServeWaitsForListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := zkserver.New(zkserver.Options{})
		if err != nil {
			t.Fatal(err)
		}
		l := &slowListener{pipeListener: newPipeListener(), end: make(chan struct{})}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Serve(ctx, l) }()
		synctest.Wait()
		cancel()
		synctest.Wait()
		select {
		case <-done: //nolint:errcheck // what comes of it is looked at elsewhere
			t.Error("Serve has returned before its listener was closed")
		default:
		}
		close(l.end)
		<-done //nolint:errcheck // what comes of it is looked at elsewhere
	})
}

// A failingListener fails as it is told, and then for good.
type failingListener struct {
	*pipeListener
	errs []error
}

func (l *failingListener) Accept() (net.Conn, error) {
	err := l.errs[0]
	l.errs = l.errs[1:]
	return nil, &net.OpError{Op: "accept", Net: "tcp", Err: err}
}

// A registry on a machine that was short of memory for a moment ended for it.
func TestAcceptWaitsOutShortages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := zkserver.New(zkserver.Options{})
		if err != nil {
			t.Fatal(err)
		}
		l := &failingListener{newPipeListener(), []error{syscall.EMFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EBADF}}
		if err := s.Serve(t.Context(), l); !errors.Is(err, syscall.EBADF) {
			t.Errorf("got %v, want %v", err, syscall.EBADF)
		}
		s.Close()
	})
}
