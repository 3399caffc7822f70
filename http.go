// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	protocolHTTP = "http" // in events
	alpnHTTP2    = "h2"
	alpnHTTP1    = "http/1.1"

	maxHTTPMethod   = 32 // the longest that is registered has 17
	httpIdleTimeout = 2 * time.Minute
	httpHeaderBytes = 64 << 10
)

// HandleHTTP makes the server answer HTTP/1.1 and HTTP/2 on its port, with a handler
// for what matches a pattern of [http.ServeMux]; "/" is everything else.
//
//	server.HandleHTTP("/", server.HealthHandler()) // /healthz and /readyz
//
// Call it before Serve: a server that is served without any handler speaks no HTTP,
// and one that comes then is logged as an error. Further handlers may come at any
// time. A pattern that is not valid or is taken, a nil handler, and a [Protocol]
// of the name "http" beside it, are reported by [Server.Serve]; while that runs they
// are logged.
//
// A connection speaks HTTP that begins with a method in capital letters and a space,
// or that agreed on it in TLS (ALPN), where no foreign protocol wants it. HTTP/2 in
// clear text needs clients that know of it before. The head of a request must come
// within 10 s and have at most 64 KiB; a connection at rest is closed after 2 min. A
// request in flight delays a drain like a call does, and a hijacked connection until
// DrainTimeout has passed; contexts of requests end when the server stops for good. A
// panic of the handler is logged and ends its request.
//
// It asks nobody who they are, admissions are not for it: [Server.HealthHandler] may be
// shown to anybody, [Server.DebugHandler] to operators; package auth puts
// admissions before a handler.
func (s *Server) HandleHTTP(pattern string, handler http.Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	switch {
	case s.serving && !s.pages.served.Load():
		err = fmt.Errorf("rollcall: HTTP pattern %q: the server serves already, and no HTTP: call HandleHTTP before Serve", pattern)
	case slices.ContainsFunc(s.opts.Protocols, func(p Protocol) bool { return p.Name == protocolHTTP }):
		err = fmt.Errorf("rollcall: HTTP pattern %q: ServerOptions.Protocols has the name %q: give that another one", pattern, protocolHTTP)
	default:
		err = s.pages.add(pattern, handler)
	}
	if err != nil && s.serving {
		s.opts.Logger.Error("HTTP is not handled", "error", err)
		return
	}
	s.problems = append(s.problems, err)
}

// pages are what a server answers over HTTP.
type pages struct {
	mux    http.ServeMux
	served atomic.Bool // there are some
}

// add adds one.
func (p *pages) add(pattern string, handler http.Handler) (err error) {
	defer func() {
		if value := recover(); value != nil { // net/http's way to refuse a pattern
			err = fmt.Errorf("rollcall: HTTP pattern %q: %v", pattern, value)
		}
	}()
	if handler == nil {
		return fmt.Errorf("rollcall: HTTP pattern %q: its handler is nil: give one", pattern)
	}
	p.mux.Handle(pattern, handler)
	p.served.Store(true)
	return nil
}

// An httpServer serves the connections of a connSet that speak HTTP: net/http
// does, with one http.Server whose listener hands it what was accepted elsewhere.
type httpServer struct {
	of       *Server
	handler  http.Handler
	server   http.Server
	conns    handedConns
	serving  sync.WaitGroup
	requests invocations
}

func newHTTPServer(s *Server, addr net.Addr) *httpServer {
	h := &httpServer{of: s, handler: &s.pages.mux, conns: handedConns{
		addr: addr, conns: make(chan net.Conn), done: make(chan struct{}),
	}}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	h.server = http.Server{
		Handler:           h,
		Protocols:         protocols,
		ReadHeaderTimeout: DefaultFirstByteTimeout,
		IdleTimeout:       httpIdleTimeout,
		MaxHeaderBytes:    httpHeaderBytes,
		ErrorLog:          slog.NewLogLogger(httpLog{s}, slog.LevelWarn),
		BaseContext:       func(net.Listener) context.Context { return s.life },
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			return context.WithValue(ctx, usageKey{}, usageOf(conn))
		},
		ConnState: noteUsage,
	}
	return h
}

// protocol returns the way in.
func (h *httpServer) protocol() *Protocol {
	return &Protocol{Name: protocolHTTP, Match: matchHTTP, Serve: h.serve}
}

// start begins to serve; drain or close ends that.
func (h *httpServer) start() {
	h.serving.Go(func() { h.server.Serve(&h.conns) }) //nolint:errcheck // it ends with drain or close
}

// serve has net/http serve a connection, and returns when that is closed.
func (h *httpServer) serve(_ context.Context, conn net.Conn, _ *Server) error {
	replay := conn.(*replayConn) //nolint:forcetypeassert // a connSet gives no other
	if h.conns.hand(replay.forHTTP()) {
		<-replay.socket().closed
	}
	return nil
}

// ServeHTTP implements [http.Handler]: the user's handler, counted, and its panic
// told.
func (h *httpServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if use, _ := r.Context().Value(usageKey{}).(*usage); use.isOver() || !h.requests.enter() {
		panic(http.ErrAbortHandler) //nolint:forbidigo // net/http's way to close the connection
	}
	defer h.requests.leave()
	defer func() {
		value := recover()
		if value == nil {
			return
		}
		if err, ok := value.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
			h.of.logPanic("HTTP handler panicked", value, "method", r.Method, "path", r.URL.Path, "peer", r.RemoteAddr)
		}
		panic(http.ErrAbortHandler) //nolint:forbidigo // net/http contains it, and is not to log it once more
	}()
	h.handler.ServeHTTP(w, r)
	if h.of.life.Err() != nil { // an answer that is given because the server ends is none
		panic(http.ErrAbortHandler) //nolint:forbidigo // as above
	}
}

type usageKey struct{}

// usageOf returns the usage of a connection that net/http serves.
func usageOf(conn net.Conn) *usage {
	for {
		switch c := conn.(type) {
		case *replayConn:
			return &c.guest.use
		case tlsReplayConn:
			return &c.guest.use
		case interface{ NetConn() net.Conn }:
			conn = c.NetConn()
		default:
			return nil
		}
	}
}

// noteUsage notes whether a request is in hand on a connection: from its head on
// until it is answered, and for good where the handler takes the connection over.
func noteUsage(conn net.Conn, state http.ConnState) {
	switch use := usageOf(conn); state {
	case http.StateActive:
		use.begin() // where it is over, ServeHTTP sees it too
	case http.StateIdle:
		use.end()
	case http.StateNew, http.StateHijacked, http.StateClosed:
	}
}

// drain ends connections as they come to rest, and returns when none is left or
// ctx has ended.
func (h *httpServer) drain(ctx context.Context) {
	h.server.Shutdown(ctx) //nolint:errcheck // it is ctx's error
}

// close ends every connection. Handlers may still run: wait waits for them.
func (h *httpServer) close() {
	h.requests.refuse()
	h.server.Close()
	h.conns.Close()
}

// wait returns when every handler has returned. Call it after close.
func (h *httpServer) wait() {
	h.requests.running.Wait()
	h.serving.Wait()
}

// handedConns is the listener of an http.Server: it gives what it is handed.
type handedConns struct {
	addr  net.Addr
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

// hand gives a connection to whoever accepts, and reports false where nobody does
// any more.
func (l *handedConns) hand(conn net.Conn) bool {
	select {
	case l.conns <- conn:
		return true
	case <-l.done:
		return false
	}
}

// Accept implements [net.Listener].
func (l *handedConns) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener].
func (l *handedConns) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

// Addr implements [net.Listener].
func (l *handedConns) Addr() net.Addr { return l.addr }

// matchHTTP looks for a method in capital letters and a space. The preface of
// HTTP/2 begins like that, too (RFC 9113, section 3.4).
func matchHTTP(first []byte) Verdict {
	for i, b := range first[:min(len(first), maxHTTPMethod+1)] {
		switch {
		case b == ' ' && i > 0:
			return MatchYes
		case b != '-' && (b < 'A' || b > 'Z'):
			return MatchNo
		}
	}
	if len(first) > maxHTTPMethod {
		return MatchNo
	}
	return MatchMaybe
}

// forHTTP returns what net/http is to see: the *tls.Conn itself where nothing was
// read of it, for only then it speaks HTTP/2, and else one that tells of its TLS.
func (r *replayConn) forHTTP() net.Conn {
	secured, ok := r.Conn.(*secureConn)
	switch {
	case !ok:
		return r
	case len(r.first) == 0:
		return secured.Conn
	}
	return tlsReplayConn{r, secured.Conn}
}

// A tlsReplayConn is a replayConn inside TLS.
type tlsReplayConn struct {
	*replayConn
	secured *tls.Conn
}

// ConnectionState lets net/http set the TLS of a request.
func (c tlsReplayConn) ConnectionState() tls.ConnectionState { return c.secured.ConnectionState() }

// asksForHTTP reports whether a TLS handshake failed because the client speaks
// HTTP alone. crypto/tls tells it in words only.
func asksForHTTP(err error) bool {
	return strings.Contains(err.Error(), `"`+alpnHTTP1+`"`) || strings.Contains(err.Error(), `"`+alpnHTTP2+`"`)
}

var errNoHTTP = errors.New("it looks like HTTP: Server.HandleHTTP has a server answer that")

// httpLog is where net/http logs.
type httpLog struct{ server *Server }

// Enabled implements [slog.Handler].
func (httpLog) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements [slog.Handler].
func (l httpLog) Handle(_ context.Context, r slog.Record) error { //nolint:gocritic // the interface's
	l.server.log.Warn("HTTP server", "error", r.Message)
	return nil
}

// WithAttrs implements [slog.Handler].
func (l httpLog) WithAttrs([]slog.Attr) slog.Handler { return l }

// WithGroup implements [slog.Handler].
func (l httpLog) WithGroup(string) slog.Handler { return l }
