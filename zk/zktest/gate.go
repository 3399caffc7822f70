// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zktest

import (
	"net"
	"sync"
)

// A gate stands before a listener and holds or refuses connections.
type gate struct {
	mu       sync.Mutex // guards what follows
	holds    int
	refusals int
	changed  chan struct{} // closed and replaced at each change
}

func (g *gate) init() { g.changed = make(chan struct{}) }

func (g *gate) hold() func()   { return g.shift(&g.holds) }
func (g *gate) refuse() func() { return g.shift(&g.refusals) }

// shift raises a counter and returns what lowers it again, once.
func (g *gate) shift(counter *int) func() {
	add := func(n int) {
		g.mu.Lock()
		defer g.mu.Unlock()
		*counter += n
		close(g.changed)
		g.changed = make(chan struct{})
	}
	add(1)
	return sync.OnceFunc(func() { add(-1) })
}

// pass waits until no one holds the gate and reports whether a connection may
// go through. It returns false when closed is closed.
func (g *gate) pass(closed <-chan struct{}) bool {
	for {
		g.mu.Lock()
		held, refused, changed := g.holds > 0, g.refusals > 0, g.changed
		g.mu.Unlock()
		if !held {
			return !refused
		}
		select {
		case <-changed:
		case <-closed:
			return false
		}
	}
}

func (g *gate) wrap(l net.Listener) net.Listener {
	return &gatedListener{Listener: l, gate: g, closed: make(chan struct{})}
}

type gatedListener struct {
	net.Listener
	gate   *gate
	once   sync.Once
	closed chan struct{}
}

// Accept implements [net.Listener].
func (l *gatedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.gate.pass(l.closed) {
			return c, nil
		}
		c.Close()
	}
}

// Close implements [net.Listener].
func (l *gatedListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}
