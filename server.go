// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/discovery/zookeeper"
	"github.com/rollcall-rpc/rollcall/frame"
	"github.com/rollcall-rpc/rollcall/internal/transport"
	"github.com/rollcall-rpc/rollcall/zk"
)

// ErrServerClosed is what Serve returns after [Server.Close].
var ErrServerClosed = errors.New("rollcall: server closed")

// The defaults of [ServerOptions].
const (
	DefaultDrainDelay            = 500 * time.Millisecond
	DefaultDrainTimeout          = 30 * time.Second
	DefaultMaxPendingConnections = 1000
	DefaultFirstByteTimeout      = 10 * time.Second
)

// ServerOptions say how a [Server] works. The zero value is a server that is
// not registered anywhere.
type ServerOptions struct {
	// Registry is the target whose list the server joins,
	// "zk://host:port[,host:port…]/path". Empty: do not register.
	Registry string

	// Registrar is used instead of Registry where it is not nil.
	Registrar discovery.Registrar

	// Advertise is the address that clients are told, "host:port" or "host"
	// (then with the listener's port). Empty: the listener's address where it
	// is specific, else the address of this machine that reaches the registry.
	Advertise string

	// ID tells this server from all others of its service, over restarts: 1 to
	// 255 bytes. Empty: 16 hex digits made from the service's path and the
	// advertised address.
	ID string

	// Weight is the share of the calls relative to other instances, up to
	// discovery.MaxWeight. 0: discovery.DefaultWeight. Negative: listed, never
	// picked.
	Weight int

	Zone     string            // where the server stands, for people and later for routing
	Version  string            // of the service
	Metadata map[string]string // for readers of the list

	// Protocols are foreign formats to serve on the same port.
	Protocols []Protocol

	// DrainDelay is how long a draining server serves on after it left the
	// list, for clients that do not know yet. 0: 500 ms; negative: not at all.
	DrainDelay time.Duration

	// DrainTimeout bounds the wait for calls in flight after DrainDelay. 0: 30
	// s; negative: they are cancelled at once.
	DrainTimeout time.Duration

	// SessionTimeout of the ZooKeeper session: how long the list shows a server
	// that died without a word. 0: 10 s.
	SessionTimeout time.Duration

	// Auths are the credentials for ZooKeeper.
	Auths []zk.Auth

	// DebugAddr is a TCP address, "host:port", on which GET answers with
	// [Server.State] as JSON. It asks nobody who they are: keep it to loopback or
	// to a network of operators. Empty: none.
	DebugAddr string

	MaxMessageBytes       int // of one request; 0: 4 MiB; at most 2 GiB - 1
	MaxMetadataBytes      int // of one request; 0: 16 KiB; at most 60 KiB
	MaxStreams            int // calls in flight on one connection; 0: 1000; at most 1<<20
	MaxPendingConnections int // connections whose protocol is not known yet; 0: 1000

	// Logger is told what an operator should know. Nil: nothing is logged.
	Logger *slog.Logger
}

func (o ServerOptions) withDefaults() ServerOptions {
	if o.DrainDelay == 0 {
		o.DrainDelay = DefaultDrainDelay
	}
	if o.DrainTimeout == 0 {
		o.DrainTimeout = DefaultDrainTimeout
	}
	if o.MaxPendingConnections == 0 {
		o.MaxPendingConnections = DefaultMaxPendingConnections
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// A Server answers calls on one port and keeps itself in the list of its
// service. Its methods may be called from any goroutine.
type Server struct {
	opts    ServerOptions
	methods atomic.Pointer[map[string]handlerFunc] // replaced whole, never changed in place
	closing chan struct{}                          // closed by Close

	mu           sync.Mutex // guards what follows
	problems     []error
	serving      bool
	served       chan struct{} // closed when Serve has returned; nil before Serve
	registration discovery.Registration
	conns        *connSet
	registered   chan struct{} // closed when registration is set, or will never be
	closeOnce    sync.Once
}

// NewServer returns a server that is not started. Bad options are reported by
// [Server.Serve].
func NewServer(opts ServerOptions) *Server {
	s := &Server{
		opts:       opts.withDefaults(),
		closing:    make(chan struct{}),
		registered: make(chan struct{}),
	}
	s.methods.Store(&map[string]handlerFunc{})
	return s
}

// report notes a problem for Serve to return.
func (s *Server) report(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.problems = append(s.problems, err)
}

func (s *Server) handle(name string, h handlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := *s.methods.Load()
	if _, taken := old[name]; taken {
		s.problems = append(s.problems, fmt.Errorf("rollcall: method %q is handled twice", name))
		return
	}
	methods := maps.Clone(old)
	methods[name] = h
	s.methods.Store(&methods)
}

// dispatch hands a request to its method's handler. It is called on the
// request's own goroutine.
func (s *Server) dispatch(ctx context.Context, req *transport.ServerRequest) (transport.Reply, error) {
	h, ok := (*s.methods.Load())[string(req.Method)]
	if !ok {
		return transport.Reply{}, refuse(CodeUnimplemented, ReasonUnknownMethod, fmt.Sprintf("method %q is not handled here", req.Method))
	}
	return h(ctx, req)
}

// ListenAndServe listens on a TCP address, "host:port", and serves. See Serve.
func (s *Server) ListenAndServe(ctx context.Context, addr string) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("rollcall: listen: %w", err)
	}
	return s.Serve(ctx, l)
}

// Serve accepts connections from l, joins the list, and answers calls until ctx
// ends or [Server.Close] is called. When ctx ends the server drains: it leaves
// the list, tells its clients, serves on for DrainDelay, finishes what is in
// flight within DrainTimeout, and Serve returns nil. After Close it returns
// ErrServerClosed, at once where Close was called before. Serve owns l and closes
// it; it can be called once.
//
// A registry that does not answer is no reason to fail: the server serves, and
// joins the list when it can.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	defer l.Close() //nolint:errcheck // it may be closed already
	if err := s.begin(); err != nil {
		return err
	}
	defer close(s.served)
	instance, err := s.instance(ctx, l.Addr())
	if err != nil {
		close(s.registered)
		return err
	}
	stopDebug, err := s.serveDebug(ctx)
	if err != nil {
		close(s.registered)
		return err
	}
	defer stopDebug()
	conns := newConnSet(s, l, instance.ID)
	s.mu.Lock()
	s.conns = conns
	s.mu.Unlock()
	conns.start()
	entry, err := s.join(instance)
	waiting, stopWaiting := context.WithCancel(ctx)
	var waiter sync.WaitGroup
	if entry.registration != nil {
		waiter.Go(func() { tellNotListed(waiting, s.opts.Logger, s.opts.Registry, entry.registration) })
	}
	if err == nil {
		select {
		case <-ctx.Done():
			s.drain(conns, entry)
		case <-s.closing:
			err = ErrServerClosed
		case <-conns.accepted:
			err = fmt.Errorf("rollcall: accept: %w", conns.acceptErr)
		}
	}
	stopWaiting()
	waiter.Wait()
	conns.close()
	entry.close()
	return err
}

func (s *Server) begin() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.serving {
		return errors.New("rollcall: Serve was called before: make a new Server")
	}
	s.serving = true
	s.served = make(chan struct{})
	err := errors.Join(append(s.problems, s.opts.check()...)...)
	select {
	case <-s.closing:
		err = ErrServerClosed
	default:
	}
	if err != nil {
		close(s.served)
		close(s.registered)
		return err
	}
	return nil
}

// check returns what is wrong with the options, a problem each.
func (o *ServerOptions) check() []error {
	var problems []error
	bad := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf("rollcall: ServerOptions."+format, args...))
	}
	if o.Registry != "" {
		t, err := discovery.ParseTarget(o.Registry)
		switch {
		case err != nil:
			bad("Registry: %w", err)
		case t.Scheme != discovery.SchemeZooKeeper:
			bad("Registry: %q: a server registers with zk://host:port/path", o.Registry)
		}
	}
	if len(o.ID) > 255 {
		bad("ID of %d bytes: give at most 255", len(o.ID))
	}
	if !utf8.ValidString(o.ID) {
		bad("ID %q: give UTF-8", o.ID)
	}
	problems = append(problems, checkLimits(
		limit{"ServerOptions.MaxMessageBytes", o.MaxMessageBytes, frame.MaxMaxMessage},
		limit{"ServerOptions.MaxMetadataBytes", o.MaxMetadataBytes, frame.MaxMaxMetadata},
		limit{"ServerOptions.MaxStreams", o.MaxStreams, frame.MaxMaxStreams},
		limit{"ServerOptions.MaxPendingConnections", o.MaxPendingConnections, 0},
	)...)
	problems = append(problems, checkDuration("ServerOptions.SessionTimeout", o.SessionTimeout, "10 s"))
	if o.Weight > discovery.MaxWeight {
		bad("Weight %d: give at most %d", o.Weight, discovery.MaxWeight)
	}
	names := make([]string, len(o.Protocols))
	for i, p := range o.Protocols {
		if names[i] = p.Name; p.Name == "" || p.Match == nil || p.Serve == nil {
			bad("Protocols: %q needs Name, Match and Serve", p.Name)
		}
	}
	return append(problems, checkNames("ServerOptions.Protocols", names...))
}

// instance describes this server for the list.
func (s *Server) instance(ctx context.Context, listener net.Addr) (discovery.Instance, error) {
	in := discovery.Instance{
		Protocols: []string{ProtocolName},
		Weight:    s.opts.Weight,
		Zone:      s.opts.Zone,
		Version:   s.opts.Version,
		Metadata:  s.opts.Metadata,
	}
	for _, p := range s.opts.Protocols {
		in.Protocols = append(in.Protocols, p.Name)
	}
	switch {
	case in.Weight == 0:
		in.Weight = discovery.DefaultWeight
	case in.Weight < 0:
		in.Weight = 0
	}
	if s.opts.Registry == "" && s.opts.Registrar == nil {
		in.ID = s.opts.ID
		return in, nil
	}
	var registry discovery.Target
	if s.opts.Registry != "" {
		registry, _ = discovery.ParseTarget(s.opts.Registry) // begin checked it
	}
	host, port, reason, err := advertise(ctx, s.opts.Advertise, listener, registry.Hosts)
	if err != nil {
		return in, err
	}
	in.Host, in.Port = host, port
	in.ID = s.opts.ID
	if in.ID == "" {
		sum := sha256.Sum256([]byte(registry.Path + "\x00" + in.Addr()))
		in.ID = hex.EncodeToString(sum[:8])
	}
	s.opts.Logger.Info("advertised address chosen", "address", in.Addr(), "reason", reason, "instance_id", in.ID)
	return in, nil
}

// A membership is the server's entry in a list and what keeps it there.
type membership struct {
	session      *zookeeper.Session     // nil where the registrar was passed in
	registration discovery.Registration // nil: not registered
}

// join begins to keep the instance in the list.
func (s *Server) join(in discovery.Instance) (m membership, err error) {
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.registration = m.registration
		close(s.registered)
	}()
	registrar := s.opts.Registrar
	if registrar == nil && s.opts.Registry != "" {
		target, err := discovery.ParseTarget(s.opts.Registry)
		if err != nil {
			return m, err
		}
		m.session, err = zookeeper.Open(target.Hosts, zookeeper.Options{
			SessionTimeout: s.opts.SessionTimeout,
			Auths:          s.opts.Auths,
			Logger:         s.opts.Logger,
		})
		if err != nil {
			return m, err
		}
		registrar = m.session.Registrar(target.Path)
	}
	if registrar == nil {
		return m, nil
	}
	m.registration, err = registrar.Register(in)
	return m, err
}

// leave takes the entry out of the list; it returns when that is confirmed or
// ctx has ended.
func (m membership) leave(ctx context.Context) error {
	if m.registration == nil {
		return nil
	}
	return m.registration.Deregister(ctx)
}

// close gives the entry up without waiting for the registry, and the session
// back.
func (m membership) close() {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	m.leave(ended) //nolint:errcheck // the session's end removes the entry
	if m.session != nil {
		m.session.Close() //nolint:errcheck // likewise
	}
}

// Registered waits until the server is in the list and returns the name of its
// entry, "server0000000003". It returns ctx's error with the reason why the
// entry is not there, or discovery.ErrDeregistered where the server does not
// register, drains or has stopped. It may be called before Serve.
func (s *Server) Registered(ctx context.Context) (name string, err error) {
	select {
	case <-s.registered:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	s.mu.Lock()
	registration := s.registration
	s.mu.Unlock()
	if registration == nil {
		return "", discovery.ErrDeregistered
	}
	return registration.Ready(ctx)
}

// Close stops the server at once: connections are closed, handlers' contexts
// end, and the entry leaves the list. It returns when Serve has returned, or at
// once where Serve was never called.
func (s *Server) Close() error {
	s.closeOnce.Do(func() { close(s.closing) })
	s.mu.Lock()
	served := s.served
	s.mu.Unlock()
	if served != nil {
		<-served
	}
	return nil
}
