// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

// Package tlsfront puts TLS before a server that knows none, for tests: a listener
// that ends TLS and hands on what is inside.
//
//	front := tlsfront.Start(t, registry.Addr(), &tls.Config{Certificates: …})
//	client, err := zk.New([]string{front.Addr()}, zk.Options{TLS: …})
//
// # Concurrency
//
// All methods may be called from any goroutine.
//
// # Caveats
//
// A server that is not there shows as a connection that is closed once TLS has been
// agreed on.
package tlsfront

import (
	"crypto/tls"
	"io"
	"net"
	"sync"
	"testing"
)

// A Front is a listener of TLS before a server.
type Front struct {
	listener net.Listener
	backend  string
	work     sync.WaitGroup

	mu     sync.Mutex // guards what follows
	conns  map[net.Conn]struct{}
	closed bool
}

// Start returns a Front on a free port of 127.0.0.1. It ends with the test.
func Start(t testing.TB, backend string, config *tls.Config) *Front {
	t.Helper()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	f := &Front{listener: listener, backend: backend, conns: map[net.Conn]struct{}{}}
	f.work.Go(f.accept)
	t.Cleanup(func() {
		listener.Close()
		f.mu.Lock()
		f.closed = true
		f.mu.Unlock()
		f.Cut()
		f.work.Wait()
	})
	return f
}

// Addr returns where the front listens, "127.0.0.1:port".
func (f *Front) Addr() string { return f.listener.Addr().String() }

// Cut closes every connection of now.
func (f *Front) Cut() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for conn := range f.conns {
		f.end(conn)
	}
}

// end closes a connection without a word of TLS, as a network does.
func (f *Front) end(conn net.Conn) {
	if secured, ok := conn.(*tls.Conn); ok {
		conn = secured.NetConn()
	}
	conn.Close()
}

func (f *Front) accept() {
	for {
		conn, err := f.listener.Accept()
		if err != nil {
			return
		}
		f.work.Go(func() { f.relay(conn) })
	}
}

// relay hands on both directions until one of them ends.
func (f *Front) relay(front net.Conn) {
	if !f.keep(front) {
		return
	}
	defer f.drop(front)
	if front.(*tls.Conn).Handshake() != nil { //nolint:noctx // Close ends it
		return
	}
	back, err := net.Dial("tcp", f.backend) //nolint:noctx // on loopback
	if err != nil || !f.keep(back) {
		return
	}
	defer f.drop(back)
	var other sync.WaitGroup
	defer other.Wait()
	other.Go(func() {
		io.Copy(back, front) //nolint:errcheck // either end may go at any time
		f.end(back)
	})
	io.Copy(front, back) //nolint:errcheck // likewise
	f.end(front)
}

// keep notes a connection, or closes it where the front has ended.
func (f *Front) keep(conn net.Conn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		f.end(conn)
		return false
	}
	f.conns[conn] = struct{}{}
	return true
}

func (f *Front) drop(conn net.Conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.end(conn)
	delete(f.conns, conn)
}
