// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zktest

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall/zk/internal/hook"
	"github.com/rollcall-rpc/rollcall/zk/zkserver"
)

// Options are the settings of a test server. Every zero value is the documented
// default.
type Options struct {
	// TickTime is how often sessions are looked over. Default 100 ms.
	TickTime time.Duration
	// MinSessionTimeout and MaxSessionTimeout bound what a client may ask for.
	// Defaults 2 and 20 ticks: 200 ms and 2 s.
	MinSessionTimeout, MaxSessionTimeout time.Duration
	// SuperDigest is the identity that may do everything, see
	// [zkserver.Options].
	SuperDigest string
	// ExtendedTypes allows nodes with a time to live.
	ExtendedTypes bool
	// ContainerCheckInterval is how often ended containers and nodes with a time to
	// live are removed. Default 1 min, negative: never.
	ContainerCheckInterval time.Duration
	// Clock is what the server lives by. Default: the system's.
	Clock *Clock
	// Logger receives what the server logs. nil: nothing is logged.
	Logger *slog.Logger
}

// defaultTick makes the longest session 2 s.
const defaultTick = 100 * time.Millisecond

// A Server is a ZooKeeper server that belongs to a test.
type Server struct {
	t     testing.TB
	opts  Options
	addr  string
	gate  gate
	clock *serverClock // nil: the system's
	hooks hook.Slot

	mu         sync.Mutex // guards what follows, held while stopping and starting
	server     *zkserver.Server
	epoch      int64
	bound      bool         // addr has its port
	stop       func()       // nil while stopped
	injections []*Injection // in the order in which they are asked
}

// Start starts a server with the default options. It fails the test if that is
// not possible, and stops the server when the test ends.
func Start(t testing.TB) *Server {
	t.Helper()
	return StartOptions(t, Options{})
}

// StartOptions is [Start] with options.
func StartOptions(t testing.TB, opts Options) *Server {
	t.Helper()
	if opts.TickTime == 0 {
		opts.TickTime = defaultTick
	}
	s := &Server{t: t, opts: opts, addr: "127.0.0.1:0"}
	s.gate.init()
	if opts.Clock != nil {
		s.clock = &serverClock{Clock: opts.Clock}
	}
	if err := s.renew(); err != nil {
		t.Fatal(err)
	}
	if err := s.listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.halt()
		s.server.Close()
	})
	return s
}

// Addr returns "127.0.0.1:port". It stays the same over restarts.
func (s *Server) Addr() string { return s.addr }

// Target returns "zk://127.0.0.1:port" with path, which begins with a slash, at
// the end.
func (s *Server) Target(path string) string { return "zk://" + s.addr + path }

// Sessions returns the live sessions in the order of their ids.
func (s *Server) Sessions() []zkserver.SessionInfo { return s.current().Sessions() }

// ExpireSession ends a session as if its client had not been heard of for its
// timeout: its ephemeral nodes are gone when ExpireSession returns. It returns
// false if there is no such session or the server is stopped.
func (s *Server) ExpireSession(id int64) bool { return s.current().ExpireSession(id) }

// CutConnection closes the connection of a session; the session lives on. It
// returns false if there is no such session or it has no connection.
func (s *Server) CutConnection(id int64) bool { return s.current().CutConnection(id) }

// Stop closes the port and every connection. Data and sessions stay. It does
// nothing on a stopped server.
func (s *Server) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.halt()
}

// Restart stops the server if it runs, and starts it on the same port with the
// same data and sessions, each with its full timeout ahead. It fails the test if
// the port was taken by somebody else meanwhile.
func (s *Server) Restart() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.halt()
	if err := s.listen(); err != nil {
		s.t.Error(err)
	}
}

// RestartEmpty stops the server if it runs, forgets data and sessions, and
// starts on the same port. Every client of before is told that its session has
// expired.
func (s *Server) RestartEmpty() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.halt()
	s.server.Close()
	err := s.renew()
	if err == nil {
		err = s.listen()
	}
	if err != nil {
		s.t.Error(err)
	}
}

// Hold makes the server leave new connections waiting, accepted by the system
// and unanswered, until the returned function is called. Open connections are
// served on.
func (s *Server) Hold() (release func()) { return s.gate.hold() }

// Refuse makes the server close each new connection without a word, until the
// returned function is called. Open connections are served on.
func (s *Server) Refuse() (release func()) { return s.gate.refuse() }

func (s *Server) current() *zkserver.Server {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.server
}

// renew replaces the server by an empty one of a later epoch.
func (s *Server) renew() error {
	epoch := max(s.epoch+1, time.Now().Unix()-epochBegin)
	opts := zkserver.Options{
		TickTime:               s.opts.TickTime,
		MinSessionTimeout:      s.opts.MinSessionTimeout,
		MaxSessionTimeout:      s.opts.MaxSessionTimeout,
		SuperDigest:            s.opts.SuperDigest,
		ExtendedTypes:          s.opts.ExtendedTypes,
		ContainerCheckInterval: s.opts.ContainerCheckInterval,
		Epoch:                  epoch,
		Logger:                 s.opts.Logger,
	}
	if s.clock != nil {
		opts.Clock = s.clock
	}
	server, err := zkserver.New(opts)
	if err != nil {
		return err
	}
	s.server, s.epoch = server, epoch
	return nil
}

// epochBegin is 2020-01-01T00:00:00Z in seconds since 1970.
const epochBegin = 1577836800

// listen opens the port and serves it.
func (s *Server) listen() error {
	l, err := net.Listen("tcp", s.addr)
	if err != nil {
		return fmt.Errorf("zktest: listen on %s: %w", s.addr, err)
	}
	if !s.bound { // once: Addr may be called meanwhile
		s.addr, s.bound = l.Addr().String(), true
	}
	ctx, cancel := context.WithCancel(hook.NewContext(context.Background(), &s.hooks))
	done := make(chan error, 1)
	server := s.server
	if s.clock != nil {
		s.clock.start(s.waits())
	}
	go func() { done <- server.Serve(ctx, s.gate.wrap(l)) }()
	s.stop = func() {
		cancel()
		if err := <-done; err != nil {
			s.t.Errorf("zktest: serve %s: %v", s.addr, err)
		}
	}
	return nil
}

// halt closes the port and waits until nothing is served.
func (s *Server) halt() {
	if s.stop != nil {
		s.stop()
		s.stop = nil
		if s.clock != nil {
			s.clock.stop()
		}
	}
}

// waits is how many waits the server always has: for the next tick, and for the
// next look at containers.
func (s *Server) waits() int {
	if s.opts.ContainerCheckInterval < 0 {
		return 1
	}
	return 2
}

// after waits by the server's clock.
func (s *Server) after(d time.Duration) <-chan time.Time {
	if s.clock != nil {
		return s.clock.after(d, nil)
	}
	return time.After(d)
}
