// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-rpc/rollcall/internal/loglimit"
)

// ErrServerClosed is what Serve returns after [Server.Close].
var ErrServerClosed = errors.New("rollcall: server closed")

// A Server answers calls on one port and keeps itself in the list of its
// service. Its methods may be called from any goroutine.
type Server struct {
	opts     ServerOptions
	methods  atomic.Pointer[map[string]*handled] // the user's; replaced whole, never changed in place
	standard map[string]*handled                 // for what methods does not have
	member   *membership
	invoked  invocations
	pages    pages             // of HTTP
	inHand   atomic.Int64      // calls, where MaxCalls bounds them
	log      *loglimit.Limiter // for lines that strangers and clients can cause
	life     context.Context   //nolint:containedctx // ends, with ErrServerClosed, when everything is to end
	end      context.CancelCauseFunc

	mu       sync.Mutex // guards what follows
	problems []error
	serving  bool
	served   chan struct{} // closed when Serve has returned; nil before Serve
	conns    *connSet
}

// NewServer returns a server that is not started. Bad options are reported by
// [Server.Serve].
func NewServer(opts ServerOptions) *Server {
	s := &Server{opts: opts.withDefaults()}
	s.log = loglimit.New(s.opts.Logger, nil)
	s.life, s.end = context.WithCancelCause(context.Background())
	s.methods.Store(&map[string]*handled{})
	standard, err := standardMethods(s)
	s.standard = standard
	s.report(err)
	s.member, err = newMembership(s)
	s.problems = append(s.problems, err, s.opts.check())
	return s
}

// method returns the one of that name; nil: there is none.
func (s *Server) method(name []byte) *handled {
	if h := (*s.methods.Load())[string(name)]; h != nil {
		return h
	}
	return s.standard[string(name)]
}

// report notes a problem for Serve to return.
func (s *Server) report(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.problems = append(s.problems, err)
}

func (s *Server) handle(h *handled) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := *s.methods.Load()
	if _, taken := old[h.name]; taken {
		s.problems = append(s.problems, fmt.Errorf("rollcall: method %q is handled twice", h.name))
		return
	}
	h.gate = newGate(s, h.name)
	methods := maps.Clone(old)
	methods[h.name] = h
	s.methods.Store(&methods)
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
// ErrServerClosed, at once where Close was called before; where l breaks, why. What
// has not returned 3 s after the contexts have ended is not waited for any longer: the
// error names the methods whose handlers still run, and other functions of the user's.
// With the defaults all of that ends within 25 s. Serve owns l and closes it; it can be
// called once.
//
// A registry that does not answer is no reason to fail: the server serves, and
// joins the list when it can. The log has a line "serving" with the address, and one
// "in the list" with the name of the entry once that is there.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	defer l.Close() // it may be closed already
	if err := s.begin(); err != nil {
		return err
	}
	stuck := false
	defer func() { s.finish(!stuck) }()
	if err := s.check(); err != nil {
		return err
	}
	instance, err := s.member.describe(ctx, l.Addr())
	if err != nil {
		return err
	}
	stopDebug, err := s.serveDebug(ctx)
	if err != nil {
		return err
	}
	defer stopDebug()
	conns := newConnSet(s, l, instance.ID)
	s.mu.Lock()
	s.conns = conns
	s.mu.Unlock()
	conns.start()
	err = s.member.join(instance)
	if err == nil {
		s.opts.Logger.Info("serving", "address", l.Addr().String(), "tls", s.opts.TLS != nil, "registry", s.opts.Registry, "instance_id", instance.ID)
		err = s.serve(ctx, conns)
	}
	if running := s.stop(conns); running != nil {
		stuck = true
		return errors.Join(err, running)
	}
	return err
}

// serve waits until the server is to stop, and drains it where that is the way.
func (s *Server) serve(ctx context.Context, conns *connSet) error {
	select {
	case <-ctx.Done():
		s.drain(conns)
		return nil
	case <-s.life.Done():
		return ErrServerClosed
	case <-conns.accepted:
		if s.life.Err() != nil {
			return ErrServerClosed
		}
		return fmt.Errorf("rollcall: accept: %w", conns.acceptErr)
	}
}

// begin makes the server one that serves, which it is once.
func (s *Server) begin() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.serving {
		return errors.New("rollcall: Serve was called before: make a new Server")
	}
	s.serving = true
	s.served = make(chan struct{})
	return nil
}

// stop gives the entry up and ends the connections, within closeGrace: its error
// names what has not ended by then. The entry goes first, whatever the end: nobody is
// to be sent here any more, and handlers that do not end must not keep it.
func (s *Server) stop(conns *connSet) error {
	begun := time.Now()
	left := background(s.member.close)
	within(left, deregisterGrace)
	ended := background(conns.close)
	var running []string
	if !within(ended, closeGrace-time.Since(begun)) {
		running = conns.running()
	}
	if !within(left, closeGrace-time.Since(begun)) {
		running = append(running, "ServerOptions.Registrar")
	}
	if len(running) == 0 {
		return nil
	}
	return fmt.Errorf("rollcall: %v after the end there still run: %s", closeGrace, strings.Join(running, ", "))
}

// closeGrace is how long what the user has given has to return once the contexts
// have ended.
const closeGrace = 3 * time.Second

// background calls f on a goroutine, which may outlive its caller where f is the
// user's; the channel is closed when f has returned.
func background(f func()) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	return done
}

// within waits for done for a time, and reports whether it came.
func within(done <-chan struct{}, limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}

// finish ends what is left and tells who waits that there is nothing more to wait
// for; not so where wait is false, for the time of what still runs has passed.
func (s *Server) finish(wait bool) {
	s.end(ErrServerClosed)
	s.invoked.refuse()
	if wait { // Invoke was perhaps called where nothing was served
		within(background(s.invoked.running.Wait), closeGrace)
	}
	s.member.decide()
	close(s.served)
}

// check returns why the server cannot serve.
func (s *Server) check() error {
	if s.life.Err() != nil {
		return ErrServerClosed
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(s.problems...)
}

// Registered waits until the server is in the list and returns the name of its
// entry, "server0000000003". It returns ctx's error with the reason why the
// entry is not there, or discovery.ErrDeregistered where the server does not
// register, is set not to, drains or has stopped. It may be called before Serve.
func (s *Server) Registered(ctx context.Context) (name string, err error) {
	return s.member.listed(ctx)
}

// SetServing says whether the server is to be in the list. A server that is set
// not to serve leaves it, goes on answering the calls that still come, and says so
// in [Server.State]; set to serve it registers again. Drain and Close have the last
// word. It does not wait for the registry, and may be called before Serve and from
// any goroutine. Every server is set to serve at first.
func (s *Server) SetServing(serving bool) {
	if err := s.member.set(serving); err != nil {
		s.opts.Logger.Error("the server cannot register", "error", err)
	}
}

// Close stops the server at once: connections are closed, handlers' contexts
// end, and the entry leaves the list. It returns when Serve has returned, which is
// within 3 s also where handlers do not end, or at once where Serve was never called.
func (s *Server) Close() error {
	s.end(ErrServerClosed)
	s.invoked.refuse()
	s.mu.Lock()
	served := s.served
	s.mu.Unlock()
	if served != nil {
		<-served
	}
	return nil
}
