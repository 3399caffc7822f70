// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcalltest

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/internal/memnet"
)

// Start starts a server whose methods register adds, and returns a client of it.
// Both end with the test.
func Start(t testing.TB, register func(*rollcall.Server)) *rollcall.Client {
	t.Helper()
	s := NewService(t)
	s.Serve(rollcall.ServerOptions{}, register)
	return s.Client(rollcall.ClientOptions{})
}

// A Service is a list of instances and a network, both in memory, that belong
// to one test.
type Service struct {
	// Instances is the list. A test may change it, to show clients something
	// else than what is there.
	Instances discovery.Memory

	t       testing.TB
	network memnet.Network
	count   atomic.Int64 // of servers, for their addresses
}

// NewService returns a service without servers.
func NewService(t testing.TB) *Service {
	t.Helper()
	return &Service{t: t}
}

// Serve starts a server whose methods register adds. It is in the list when
// Serve returns, and stopped when the test ends. Registry, Registrar and
// Advertise of the options are the service's; where none is given, the ID is the
// server's address, and the Logger writes to the test's output.
func (s *Service) Serve(opts rollcall.ServerOptions, register func(*rollcall.Server)) *Server {
	s.t.Helper()
	addr := fmt.Sprintf("server%d:1", s.count.Add(1))
	l, err := s.network.Listen(addr)
	if err != nil {
		s.t.Fatal(err)
	}
	srv := &Server{service: s, addr: addr, listener: l, ended: make(chan struct{})}
	opts.Registry, opts.Registrar, opts.Advertise = "", srv, addr
	if opts.ID == "" {
		opts.ID = addr
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.NewTextHandler(s.t.Output(), nil))
	}
	srv.server = rollcall.NewServer(opts)
	register(srv.server)
	ctx, cancel := context.WithCancel(context.Background())
	srv.drain = cancel
	go func() {
		defer close(srv.ended)
		srv.err = srv.server.Serve(ctx, l)
	}()
	s.t.Cleanup(srv.Close)
	if _, err := srv.server.Registered(context.Background()); err != nil {
		srv.Close()
		s.t.Fatalf("rollcalltest: %v", srv.err)
	}
	return srv
}

// Client returns a client of the service, which is closed when the test ends.
// Resolver and Dial of the options are the service's.
func (s *Service) Client(opts rollcall.ClientOptions) *rollcall.Client {
	s.t.Helper()
	opts.Resolver, opts.Dial = &s.Instances, s.network.Dial
	c, err := rollcall.NewClient("memory", opts)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	return c
}

// A Server is one server of a [Service].
type Server struct {
	service  *Service
	server   *rollcall.Server
	addr     string
	listener *memnet.Listener
	drain    context.CancelFunc
	ended    chan struct{}
	err      error // what Serve returned; read it after ended

	once   sync.Once
	killed atomic.Bool
}

// Addr returns "host:port" as it stands in the list; it is an address in memory.
func (s *Server) Addr() string { return s.addr }

// Kill ends the server as a crash of its process would: connections are reset,
// new ones are refused, and the list shows it still.
func (s *Server) Kill() {
	s.killed.Store(true)
	for range 2 { // the end of the listener is the end of Serve, which says farewell; and one may have come meanwhile
		for _, conn := range s.service.network.Conns(s.addr) {
			conn.Cut()
		}
		s.listener.Close()
	}
	s.Close()
}

// Drain ends the server in order and returns what its Serve returned, once it
// has.
func (s *Server) Drain() error {
	s.drain()
	<-s.ended
	return s.err
}

// Close stops the server at once; its entry leaves the list. It returns when
// nothing of the server is left.
func (s *Server) Close() {
	s.once.Do(func() {
		s.server.Close()
		<-s.ended
		s.drain()
	})
}

// Register implements [discovery.Registrar], for the server itself.
func (s *Server) Register(in discovery.Instance) (discovery.Registration, error) {
	registration, err := s.service.Instances.Register(in)
	return &entry{Registration: registration, server: s}, err
}

// An entry stays in the list when its server was killed.
type entry struct {
	discovery.Registration
	server *Server
}

// Deregister implements [discovery.Registration].
func (e *entry) Deregister(ctx context.Context) error {
	if e.server.killed.Load() {
		return nil
	}
	return e.Registration.Deregister(ctx)
}
