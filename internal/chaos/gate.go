// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"errors"
	"net"
	"sync"
)

// A Gate is a listener that can refuse: its port is closed then, and every
// connection that it let in is reset. Whoever accepts from it does not notice.
// Its methods may be called from any goroutine.
type Gate struct {
	addr net.Addr

	mu       sync.Mutex    // guards what follows
	listener net.Listener  // nil while it refuses
	changed  chan struct{} // closed when listener changes
	conns    map[*gateConn]struct{}
	most     int // connections at once
	closed   bool
}

// A gateConn tells the gate when it is closed.
type gateConn struct {
	*net.TCPConn
	gate *Gate
}

// NewGate listens on a TCP address.
func NewGate(address string) (*Gate, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	return &Gate{
		addr: listener.Addr(), listener: listener,
		changed: make(chan struct{}), conns: map[*gateConn]struct{}{},
	}, nil
}

// Refuse closes the port and resets every connection.
func (g *Gate) Refuse() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.change(nil)
	for c := range g.conns {
		reset(c.TCPConn)
	}
}

// Admit opens the port again.
func (g *Gate) Admit() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.listener != nil || g.closed {
		return nil
	}
	listener, err := net.Listen("tcp", g.addr.String())
	if err == nil {
		g.change(listener)
	}
	return err
}

// change puts a listener, or none, in place of the present one. The caller holds
// mu.
func (g *Gate) change(listener net.Listener) {
	if g.listener != nil {
		g.listener.Close() // it is not wanted
	}
	g.listener = listener
	close(g.changed)
	g.changed = make(chan struct{})
}

// Accept waits for a connection, or for the gate to admit some again.
func (g *Gate) Accept() (net.Conn, error) {
	for {
		g.mu.Lock()
		listener, changed, closed := g.listener, g.changed, g.closed
		g.mu.Unlock()
		switch {
		case closed:
			return nil, net.ErrClosed
		case listener == nil:
			<-changed
			continue
		}
		conn, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if c := g.enter(conn, listener); c != nil {
			return c, nil
		}
	}
}

// enter notes a connection; nil: the gate has begun to refuse meanwhile.
func (g *Gate) enter(conn net.Conn, by net.Listener) net.Conn {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.listener != by {
		reset(conn)
		return nil
	}
	c := &gateConn{conn.(*net.TCPConn), g}
	g.conns[c] = struct{}{}
	g.most = max(g.most, len(g.conns))
	return c
}

// Close closes the port; connections stay.
func (g *Gate) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	g.change(nil)
	return nil
}

// Most returns how many connections it has let in that were there at once.
func (g *Gate) Most() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.most
}

// Addr returns the address, with the port that was chosen where it was 0.
func (g *Gate) Addr() net.Addr { return g.addr }

func (c *gateConn) Close() error {
	c.gate.mu.Lock()
	delete(c.gate.conns, c)
	c.gate.mu.Unlock()
	return c.TCPConn.Close()
}

// reset closes a connection with a RST.
func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0) //nolint:errcheck // it is closed all the same
	}
	conn.Close() // it is not wanted
}
