// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"net"
	"sync"
	"time"
)

// A direction is one of the two ways through a proxy.
type direction uint8

// The directions, to be combined.
const (
	requests direction = 1 << iota // from clients to the server
	replies                        // back
)

// A proxy passes TCP connections on to a server, and can hold what goes through
// it: nobody gets a byte, a RST or the end of a connection until it is released,
// as with a cable that is pulled and put back. Its methods may be called from any
// goroutine.
type proxy struct {
	listener net.Listener
	server   string
	wg       sync.WaitGroup
	closing  chan struct{}

	mu       sync.Mutex // guards what follows
	held     direction
	released chan struct{}         // closed when held changes
	conns    map[net.Conn]struct{} // both ends of every link
}

// proxyDialTimeout bounds the dial of the server.
const proxyDialTimeout = time.Second

// newProxy listens on a free port of the host for the server at an address. An
// empty server is to be set before the first connection.
func newProxy(host, server string) (*proxy, error) {
	listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return nil, err
	}
	p := &proxy{
		listener: listener, server: server, closing: make(chan struct{}),
		released: make(chan struct{}), conns: map[net.Conn]struct{}{},
	}
	p.wg.Go(p.accept)
	return p, nil
}

func (p *proxy) addr() string { return p.listener.Addr().String() }

// hold holds what goes in these directions from now on, and releases the others.
func (p *proxy) hold(d direction) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = d
	close(p.released)
	p.released = make(chan struct{})
}

// reset ends every connection with a RST, to both sides.
func (p *proxy) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for conn := range p.conns {
		reset(conn)
	}
}

// setServer chooses where connections lead from now on.
func (p *proxy) setServer(addr string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.server = addr
}

// close ends the proxy and its connections.
func (p *proxy) close() {
	close(p.closing)
	p.listener.Close() // it is not wanted
	p.reset()
	p.wg.Wait()
}

func (p *proxy) accept() {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.wg.Go(func() { p.link(conn) })
	}
}

// link connects a client with the server until one of them has enough.
func (p *proxy) link(client net.Conn) {
	defer client.Close()
	if !p.passes(requests) {
		return
	}
	p.mu.Lock()
	to := p.server
	p.mu.Unlock()
	server, err := net.DialTimeout("tcp", to, proxyDialTimeout) //nolint:noctx // it is short
	if err != nil {
		reset(client)
		return
	}
	defer server.Close()
	if !p.enter(client, server) {
		return
	}
	defer p.leave(client, server)
	var back sync.WaitGroup
	back.Go(func() { p.copy(client, server, replies) })
	p.copy(server, client, requests)
	back.Wait()
}

func (p *proxy) enter(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.closing:
		return false
	default:
	}
	for _, c := range conns {
		p.conns[c] = struct{}{}
	}
	return true
}

func (p *proxy) leave(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		delete(p.conns, c)
	}
}

// copy copies one direction until its end or an error, which reaches the other
// side when the direction is not held.
func (p *proxy) copy(to, from net.Conn, d direction) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if !p.passes(d) {
			return
		}
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				reset(from)
				return
			}
		}
		if err != nil {
			to.(*net.TCPConn).CloseWrite() //nolint:errcheck // it has ended then
			return
		}
	}
}

// passes waits while a direction is held; false: the proxy is closed.
func (p *proxy) passes(d direction) bool {
	for {
		p.mu.Lock()
		held, released := p.held&d != 0, p.released
		p.mu.Unlock()
		if !held {
			return true
		}
		select {
		case <-released:
		case <-p.closing:
			return false
		}
	}
}
