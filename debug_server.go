// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/rollcall-rpc/rollcall/discovery"
)

// maxShownConnections bounds the connections of a [ServerState].
const maxShownConnections = 1000

// A ServerState is what a [Server] does at one moment.
type ServerState struct {
	Registration *RegistrationState `json:"registration"` // null: it does not register, or does not serve
	Serving      bool               `json:"serving"`      // it is to be in the list, see SetServing; false also while it drains
	Draining     bool               `json:"draining"`
	Refusing     bool               `json:"refusing"` // new calls
	Methods      []string           `json:"methods"`
	InFlight     int                `json:"in_flight"` // calls, in every format

	// Open counts the connections; Connections are at most 1000 of them.
	Open        int               `json:"open"`
	Connections []ConnectionState `json:"connections"`
}

// A RegistrationState is that of the server's entry.
type RegistrationState struct {
	Registered bool      `json:"registered"`
	Entry      string    `json:"entry,omitempty"`
	Since      time.Time `json:"since"`           // when that became so
	Error      string    `json:"error,omitempty"` // why it is not registered
}

// A ConnectionState is that of one connection to a server.
type ConnectionState struct {
	Peer     string `json:"peer"`
	Rollcall bool   `json:"rollcall"` // else another protocol, or not known yet
	InFlight int    `json:"in_flight"`
}

// State returns what the server does now.
func (s *Server) State() ServerState {
	s.mu.Lock()
	conns := s.conns
	s.mu.Unlock()
	state := ServerState{
		Methods:     slices.Sorted(maps.Keys(*s.methods.Load())),
		Connections: []ConnectionState{},
	}
	if registration := s.member.entry(); registration != nil {
		state.Registration = registrationState(registration.Status())
	}
	if conns != nil {
		conns.describe(&state)
	}
	state.Serving = conns != nil && !state.Draining && s.life.Err() == nil && s.member.wanted()
	return state
}

func registrationState(status discovery.RegistrationStatus) *RegistrationState {
	r := &RegistrationState{Registered: status.Registered, Entry: status.Name, Since: status.Since}
	if status.Err != nil {
		r.Error = status.Err.Error()
	}
	return r
}

// describe fills in what the connections tell.
func (c *connSet) describe(s *ServerState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.Draining, s.Refusing, s.Open = c.draining, c.refusing, len(c.places.guests)
	s.InFlight = c.server.invoked.inFlight()
	for g := range c.places.guests {
		shown := ConnectionState{Peer: g.conn.RemoteAddr().String()}
		if g.rollcall != nil {
			shown.Rollcall, shown.InFlight = true, g.rollcall.InFlight()
		}
		s.InFlight += shown.InFlight
		if len(s.Connections) < maxShownConnections {
			s.Connections = append(s.Connections, shown)
		}
	}
}

// DebugHandler returns a handler that answers with [Server.State] as JSON to those
// whom ServerOptions.Debug lets in: mount it where only operators come.
func (s *Server) DebugHandler() http.Handler {
	return newDebugPage("ServerOptions.Debug", s.opts.Debug, s.opts.Logger, s.State)
}

// debugTimeout bounds each step of a request to DebugAddr.
const debugTimeout = 10 * time.Second

// serveDebug serves the debug page, if it is wanted, until stop is called, which
// waits for its goroutines.
func (s *Server) serveDebug(ctx context.Context) (stop func(), err error) {
	if s.opts.DebugAddr == "" {
		return func() {}, nil
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", s.opts.DebugAddr)
	if err != nil {
		return nil, fmt.Errorf("rollcall: ServerOptions.DebugAddr: %w", err)
	}
	s.opts.Logger.Info("debug page", "address", l.Addr().String())
	server := &http.Server{
		Handler: s.DebugHandler(), ReadTimeout: debugTimeout, WriteTimeout: debugTimeout, IdleTimeout: debugTimeout, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(httpLog{s}, slog.LevelWarn),
	}
	var serving sync.WaitGroup
	serving.Go(func() { server.Serve(l) }) //nolint:errcheck // it ends with stop
	return func() {
		server.Close() // its end is what is wanted
		serving.Wait()
	}, nil
}
