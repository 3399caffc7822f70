// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zk_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-rpc/rollcall/zk"
	"github.com/rollcall-rpc/rollcall/zk/jute"
)

// A fake is a server whose every byte a test decides, over pipes in a bubble
// with a clock of its own.
type fake struct {
	t     *testing.T
	conns chan net.Conn // the far ends of connections, as they are dialled

	mu   sync.Mutex      // guards what follows
	down map[string]bool // addresses that refuse connections
	log  []dialled
}

type dialled struct {
	address string
	at      time.Time
}

var errRefused = errors.New("connection refused")

// setDown makes these addresses refuse connections, and no others.
func (f *fake) setDown(addresses ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down = make(map[string]bool)
	for _, a := range addresses {
		f.down[a] = true
	}
}

// dials returns all attempts so far.
func (f *fake) dials() []dialled {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.log)
}

func (f *fake) knock(address string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log = append(f.log, dialled{address, time.Now()})
	if f.down[address] {
		return errRefused
	}
	return nil
}

func (f *fake) dial(ctx context.Context, _, address string) (net.Conn, error) {
	if err := f.knock(address); err != nil {
		return nil, err
	}
	near, far := net.Pipe()
	select {
	case f.conns <- far:
		return near, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// inBubble runs a test of a client with a fake server in a bubble.
func inBubble(t *testing.T, test func(t *testing.T, f *fake)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		test(t, &fake{t: t, conns: make(chan net.Conn)})
	})
}

// client returns a client of the fake that is closed with the test. The jitter
// is the largest there is, unless opts has another.
func (f *fake) client(opts zk.Options, servers ...string) *zk.Client {
	f.t.Helper()
	if len(servers) == 0 {
		servers = []string{"zoo:2181"}
	}
	opts.Dial = f.dial
	if opts.Rand == nil {
		opts.Rand = func() float64 { return 1 - 1e-12 }
	}
	c, err := zk.New(servers, opts)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { c.Close() })
	return c
}

// A peer is the far end of a connection.
type peer struct {
	net.Conn
	t     *testing.T
	pings int // answered by expect
}

// accept waits for a connection.
func (f *fake) accept() *peer {
	f.t.Helper()
	select {
	case conn := <-f.conns:
		f.t.Cleanup(func() { conn.Close() })
		return &peer{Conn: conn, t: f.t}
	case <-time.After(time.Hour):
		f.t.Fatal("nobody dials")
	}
	return nil
}

// frame reads a frame, or fails the test.
func (p *peer) frame() []byte {
	p.t.Helper()
	frame, err := p.tryFrame()
	if err != nil {
		p.t.Fatalf("the client does not send: %v", err)
	}
	return frame
}

func (p *peer) tryFrame() ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(p, head[:]); err != nil {
		return nil, err
	}
	frame := make([]byte, binary.BigEndian.Uint32(head[:]))
	_, err := io.ReadFull(p, frame)
	return frame, err
}

// gone waits until the client has closed the connection.
func (p *peer) gone() {
	p.t.Helper()
	for {
		if _, err := p.tryFrame(); err != nil {
			return
		}
	}
}

// send writes a frame of records.
func (p *peer) send(records ...jute.Record) {
	p.t.Helper()
	p.raw(jute.AppendFrame(nil, func(b []byte) []byte {
		for _, r := range records {
			b = r.Append(b)
		}
		return b
	}))
}

func (p *peer) raw(b []byte) {
	p.t.Helper()
	if _, err := p.Write(b); err != nil {
		p.t.Errorf("the client does not read: %v", err)
	}
}

// hello reads the first frame.
func (p *peer) hello() jute.ConnectRequest {
	p.t.Helper()
	var req jute.ConnectRequest
	d := jute.NewDecoder(p.frame())
	if req.Decode(&d); d.Err() != nil || d.Len() != 0 {
		p.t.Fatalf("first frame: %v, %d bytes left", d.Err(), d.Len())
	}
	return req
}

var password = []byte("0123456789abcdef")

// welcome answers the first frame.
func (p *peer) welcome(session int64, timeout time.Duration) {
	p.t.Helper()
	p.send(&jute.ConnectResponse{
		TimeoutMillis: int32(timeout / time.Millisecond), SessionID: session, Password: password, HasReadOnly: true,
	})
}

// sayExpired answers the first frame as a server does that does not know the
// session.
func (p *peer) sayExpired() {
	p.t.Helper()
	p.send(&jute.ConnectResponse{Password: make([]byte, 16), HasReadOnly: true})
	p.Close()
}

// session accepts a connection and grants a session.
func (f *fake) session(id int64, timeout time.Duration) (*peer, jute.ConnectRequest) {
	f.t.Helper()
	p := f.accept()
	req := p.hello()
	p.welcome(id, timeout)
	return p, req
}

// expect reads the next request and its body into req. Pings are answered on
// the way.
func (p *peer) expect(op jute.OpCode, req jute.Record) jute.RequestHeader {
	p.t.Helper()
	for {
		var h jute.RequestHeader
		d := jute.NewDecoder(p.frame())
		h.Decode(&d)
		if h.Op == jute.OpPing && op != jute.OpPing {
			if p.pings++; p.pings > 1000 {
				p.t.Fatalf("the client sends nothing but pings, want %v", op)
			}
			p.send(&jute.ReplyHeader{Xid: jute.XidPing, Zxid: 1 << 40})
			continue
		}
		if h.Op != op {
			p.t.Fatalf("the client sends %v, want %v", h.Op, op)
		}
		if req.Decode(&d); d.Err() != nil || d.Len() != 0 {
			p.t.Fatalf("%v: %v, %d bytes left", op, d.Err(), d.Len())
		}
		return h
	}
}

// answer sends a reply.
func (p *peer) answer(h jute.RequestHeader, zxid int64, body ...jute.Record) {
	p.t.Helper()
	p.send(append([]jute.Record{&jute.ReplyHeader{Xid: h.Xid, Zxid: zxid}}, body...)...)
}

func (p *peer) refuse(h jute.RequestHeader, code jute.ErrCode) {
	p.t.Helper()
	p.send(&jute.ReplyHeader{Xid: h.Xid, Zxid: -1, Err: code})
}

func (p *peer) notify(typ jute.EventType, path string) {
	p.t.Helper()
	p.send(&jute.ReplyHeader{Xid: jute.XidNotification, Zxid: 1 << 50}, &jute.WatcherEvent{Type: typ, State: jute.StateSyncConnected, Path: path})
}

// bye answers a Close that is under way.
func (p *peer) bye() {
	p.t.Helper()
	p.answer(p.expect(jute.OpCloseSession, &jute.Empty{}), 0)
	p.Close()
}

// get starts a Get and returns where its error will be.
func get(ctx context.Context, c *zk.Client, path string) <-chan error {
	done := make(chan error, 1)
	go func() {
		_, _, err := c.Get(ctx, path)
		done <- err
	}()
	return done
}

// closing starts a Close and returns what is closed with its end.
func closing(c *zk.Client) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.Close()
	}()
	return done
}
