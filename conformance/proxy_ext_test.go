// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package conformance_test

import (
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/rollcall-rpc/rollcall/zk/jute"
)

// A proxy stands between a client and a server and understands frames, so that
// it can lose the answer of one request.
type proxy struct {
	listener net.Listener
	server   string
	wg       sync.WaitGroup

	mu     sync.Mutex // guards what follows
	links  map[*link]bool
	refuse bool
	lose   jute.OpCode // the next request of this kind loses its answer; 0: none
	closed bool
}

// A link is one connection through the proxy.
type link struct {
	client, server net.Conn
	lost           int32 // xid of the request whose answer is lost; 0: none
}

func newProxy(t *testing.T, server string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, server: server, links: map[*link]bool{}}
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		p.mu.Lock()
		p.closed = true
		p.mu.Unlock()
		_ = l.Close()
		p.Cut()
		p.wg.Wait()
	})
	return p
}

func (p *proxy) Addr() string { return p.listener.Addr().String() }

// Cut ends every connection.
func (p *proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.close()
	}
}

// Refuse ends every connection, and each new one at once, until Admit.
func (p *proxy) Refuse() {
	p.mu.Lock()
	p.refuse = true
	p.mu.Unlock()
	p.Cut()
}

// Admit lets connections through again.
func (p *proxy) Admit() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = false
}

// LoseAnswer lets the next request of this kind reach the server, and ends the
// connection instead of passing on the answer.
func (p *proxy) LoseAnswer(op jute.OpCode) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lose = op
}

// Lost reports whether the answer that LoseAnswer asked for was lost.
func (p *proxy) Lost() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lose == 0
}

func (l *link) close() {
	_ = l.client.Close()
	_ = l.server.Close()
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.server)
		if err != nil {
			_ = client.Close()
			continue
		}
		l := &link{client: client, server: server}
		p.mu.Lock()
		if p.refuse || p.closed {
			p.mu.Unlock()
			l.close()
			continue
		}
		p.links[l] = true
		p.mu.Unlock()
		p.wg.Go(func() { p.carry(l) })
	}
}

func (p *proxy) carry(l *link) {
	var up sync.WaitGroup
	up.Go(func() {
		defer l.close()
		pass(l.server, l.client, func(body []byte) bool { p.request(l, body); return true })
	})
	pass(l.client, l.server, func(body []byte) bool { return p.reply(l, body) })
	l.close()
	up.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, l)
}

// request looks at a request on its way, which begins with xid and operation.
func (p *proxy) request(l *link, body []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lose != 0 && len(body) >= 8 && jute.OpCode(binary.BigEndian.Uint32(body[4:])) == p.lose {
		l.lost, p.lose = int32(binary.BigEndian.Uint32(body)), 0
	}
}

// reply reports whether an answer, which begins with the xid, is to be passed on.
func (p *proxy) reply(l *link, body []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return l.lost == 0 || len(body) < 4 || int32(binary.BigEndian.Uint32(body)) != l.lost
}

// pass copies frames until one of the ends is gone or look says no. The first
// frame, the handshake, is not looked at.
func pass(to io.Writer, from io.Reader, look func(body []byte) bool) {
	const limit = 4 << 20
	for first := true; ; first = false {
		var head [4]byte
		if _, err := io.ReadFull(from, head[:]); err != nil {
			return
		}
		size := binary.BigEndian.Uint32(head[:])
		if size > limit {
			return
		}
		frame := make([]byte, 4+size)
		copy(frame, head[:])
		if _, err := io.ReadFull(from, frame[4:]); err != nil {
			return
		}
		if !first && !look(frame[4:]) {
			return
		}
		if _, err := to.Write(frame); err != nil {
			return
		}
	}
}
