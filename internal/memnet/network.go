// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package memnet

import (
	"context"
	"fmt"
	"net"
	"sync"
	"syscall"
)

// backlog is how many connections wait in a listener to be accepted.
const backlog = 128

// A Network connects dialers with listeners by address. The zero value is ready.
type Network struct {
	mu        sync.Mutex // guards what follows
	listeners map[string]*Listener
	conns     map[string][]*Conn // both ends, by the address dialled
}

// Listen opens addr, which may be any text. It fails if addr is in use.
func (n *Network) Listen(addr string) (*Listener, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, used := n.listeners[addr]; used {
		return nil, fmt.Errorf("memnet: listen on %s: address in use", addr)
	}
	if n.listeners == nil {
		n.listeners = make(map[string]*Listener)
	}
	l := &Listener{network: n, addr: addr, queue: make(chan *Conn, backlog), done: make(chan struct{})}
	n.listeners[addr] = l
	return l, nil
}

// Dial connects to addr, with the signature of net.Dialer's DialContext. Nobody
// listening is an error at once, syscall.ECONNREFUSED, a full backlog waits.
func (n *Network) Dial(ctx context.Context, _, addr string) (net.Conn, error) {
	n.mu.Lock()
	l := n.listeners[addr]
	n.mu.Unlock()
	if l == nil {
		return nil, fmt.Errorf("memnet: dial %s: %w", addr, syscall.ECONNREFUSED)
	}
	return l.Dial(ctx)
}

// Conns returns the open connections to addr, the dialling ends.
func (n *Network) Conns(addr string) []*Conn {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]*Conn(nil), n.conns[addr]...)
}

func (n *Network) add(addr string, c *Conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.conns == nil {
		n.conns = make(map[string][]*Conn)
	}
	n.conns[addr] = append(n.conns[addr], c)
}

func (n *Network) remove(addr string, c *Conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for i, other := range n.conns[addr] {
		if other == c {
			n.conns[addr] = append(n.conns[addr][:i:i], n.conns[addr][i+1:]...)
			return
		}
	}
}

// A Listener is an address that accepts connections.
type Listener struct {
	network *Network
	addr    string
	queue   chan *Conn
	done    chan struct{}
	once    sync.Once
}

// Listen returns a listener on a network of its own; its Dial connects to it.
func Listen(addr string) *Listener {
	l, _ := new(Network).Listen(addr) // a new network has every address free
	return l
}

// Dial connects to l.
func (l *Listener) Dial(ctx context.Context) (net.Conn, error) {
	client, server := Pipe()
	client.local, client.remote = "client", Addr(l.addr)
	server.local, server.remote = Addr(l.addr), "client"
	client.onClose = func() { l.network.remove(l.addr, client) }
	select {
	case <-l.done:
		return nil, fmt.Errorf("memnet: dial %s: %w", l.addr, syscall.ECONNREFUSED)
	default:
	}
	l.network.add(l.addr, client)
	select {
	case l.queue <- server:
		select {
		case <-l.done: // perhaps since Close has emptied the queue
			l.cutQueue()
		default:
		}
		return client, nil
	case <-l.done:
		client.Cut()
		client.Close()
		return nil, fmt.Errorf("memnet: dial %s: %w", l.addr, syscall.ECONNREFUSED)
	case <-ctx.Done():
		client.Close()
		return nil, fmt.Errorf("memnet: dial %s: %w", l.addr, context.Cause(ctx))
	}
}

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case <-l.done:
		return nil, net.ErrClosed
	default:
	}
	select {
	case c := <-l.queue:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener. Connections that wait to be accepted are cut,
// accepted ones live on.
func (l *Listener) Close() error {
	l.once.Do(func() {
		close(l.done)
		l.network.mu.Lock()
		delete(l.network.listeners, l.addr)
		l.network.mu.Unlock()
		l.cutQueue()
	})
	return nil
}

// cutQueue cuts the connections that wait to be accepted.
func (l *Listener) cutQueue() {
	for {
		select {
		case c := <-l.queue:
			c.Cut()
		default:
			return
		}
	}
}

// Addr implements net.Listener.
func (l *Listener) Addr() net.Addr { return Addr(l.addr) }

var _ net.Listener = (*Listener)(nil)
