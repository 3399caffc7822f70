// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zkserver"
)

// A rawConn speaks the protocol frame by frame, so that a test sees exactly what
// the server sends.
type rawConn struct {
	t  testing.TB
	nc net.Conn

	id       int64
	password []byte
	xid      int32
}

// frameWait fails a test that would hang.
const frameWait = 60 * time.Second

func dialRaw(t testing.TB, addr string) *rawConn {
	t.Helper()
	var d net.Dialer
	nc, err := d.DialContext(context.Background(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	return &rawConn{t: t, nc: nc}
}

// open dials and opens a session.
func open(t testing.TB, addr string, timeout time.Duration) *rawConn {
	t.Helper()
	c := dialRaw(t, addr)
	r := c.handshake(jute.ConnectRequest{TimeoutMillis: int32(timeout.Milliseconds()), HasReadOnly: true})
	if r.SessionID == 0 {
		t.Fatal("no session")
	}
	return c
}

func (c *rawConn) handshake(r jute.ConnectRequest) jute.ConnectResponse {
	c.t.Helper()
	c.write(jute.AppendFrame(nil, r.Append))
	var resp jute.ConnectResponse
	d := jute.NewDecoder(c.frame())
	resp.Decode(&d)
	if d.Err() != nil {
		c.t.Fatal(d.Err())
	}
	c.id, c.password = resp.SessionID, append([]byte(nil), resp.Password...)
	return resp
}

// reattach returns a new connection of the same session.
func (c *rawConn) reattach(addr string) (*rawConn, jute.ConnectResponse) {
	c.t.Helper()
	n := dialRaw(c.t, addr)
	return n, n.handshake(jute.ConnectRequest{SessionID: c.id, Password: c.password, TimeoutMillis: 10000, HasReadOnly: true})
}

func (c *rawConn) write(b []byte) {
	c.t.Helper()
	if _, err := c.nc.Write(b); err != nil {
		c.t.Fatal(err)
	}
}

// frame reads the next frame.
func (c *rawConn) frame() []byte {
	c.t.Helper()
	b, err := c.next()
	if err != nil {
		c.t.Fatalf("read frame: %v", err)
	}
	return b
}

func (c *rawConn) next() ([]byte, error) { return c.nextWithin(frameWait) }

func (c *rawConn) nextWithin(d time.Duration) ([]byte, error) {
	if err := c.nc.SetReadDeadline(time.Now().Add(d)); err != nil {
		return nil, err
	}
	var size [4]byte
	if _, err := io.ReadFull(c.nc, size[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint32(size[:]))
	_, err := io.ReadFull(c.nc, b)
	return b, err
}

// wantEOF demands that the server closes the connection without a frame.
func (c *rawConn) wantEOF() {
	c.t.Helper()
	b, err := c.next()
	var ne net.Error
	if err == nil || errors.As(err, &ne) && ne.Timeout() {
		c.t.Fatalf("got frame %x, error %v; want the end of the connection", b, err)
	}
}

// A message is a reply or a notification.
type message struct {
	jute.ReplyHeader
	body []byte
}

func (c *rawConn) message() message {
	c.t.Helper()
	return parseMessage(c.t, c.frame())
}

func parseMessage(t testing.TB, b []byte) message {
	t.Helper()
	d := jute.NewDecoder(b)
	var m message
	m.Decode(&d)
	if d.Err() != nil {
		t.Fatal(d.Err())
	}
	m.body = d.Rest()
	return m
}

func (m *message) event(t testing.TB) jute.WatcherEvent {
	t.Helper()
	if m.Xid != jute.XidNotification {
		t.Fatalf("got a reply with xid %d, want a notification", m.Xid)
	}
	var e jute.WatcherEvent
	m.decode(t, &e)
	return e
}

func (m *message) decode(t testing.TB, r jute.Record) {
	t.Helper()
	d := jute.NewDecoder(m.body)
	r.Decode(&d)
	if d.Err() != nil {
		t.Fatal(d.Err())
	}
}

// request returns the frame of a request.
func request(xid int32, op jute.OpCode, r jute.Record) []byte {
	return jute.AppendFrame(nil, func(b []byte) []byte {
		h := jute.RequestHeader{Xid: xid, Op: op}
		b = h.Append(b)
		if r != nil {
			b = r.Append(b)
		}
		return b
	})
}

// send sends a request with the next xid.
func (c *rawConn) send(op jute.OpCode, r jute.Record) int32 {
	c.t.Helper()
	c.xid++
	c.write(request(c.xid, op, r))
	return c.xid
}

// do sends a request and returns its reply, and the events before it.
func (c *rawConn) do(op jute.OpCode, r jute.Record) (reply message, events []jute.WatcherEvent) {
	c.t.Helper()
	xid := c.send(op, r)
	for {
		m := c.message()
		if m.Xid == jute.XidNotification {
			events = append(events, m.event(c.t))
			continue
		}
		if m.Xid != xid {
			c.t.Fatalf("got xid %d, want %d", m.Xid, xid)
		}
		return m, events
	}
}

// must does a request that has to succeed and decodes its answer.
func (c *rawConn) must(op jute.OpCode, r, answer jute.Record) message {
	c.t.Helper()
	m, _ := c.do(op, r)
	if m.Err != 0 {
		c.t.Fatalf("%v %+v: got %v, want ok", op, r, m.Err)
	}
	if answer != nil {
		m.decode(c.t, answer)
	}
	return m
}

// fails demands the error of a request.
func (c *rawConn) fails(want jute.ErrCode, op jute.OpCode, r jute.Record) {
	c.t.Helper()
	m, _ := c.do(op, r)
	if m.Err != want {
		c.t.Errorf("%v %+v: got %v, want %v", op, r, m.Err, want)
	}
	if m.Err != 0 && len(m.body) != 0 {
		c.t.Errorf("%v %+v: got a body of %d bytes behind an error, want none", op, r, len(m.body))
	}
}

func (c *rawConn) create(path string, flags int32) string {
	c.t.Helper()
	var p jute.Path
	c.must(jute.OpCreate, newNode(path, flags), &p)
	return p.Path
}

func (c *rawConn) stat(path string) (s jute.Stat) {
	c.t.Helper()
	c.must(jute.OpExists, &jute.PathWatchRequest{Path: path}, &s)
	return s
}

func (c *rawConn) exists(path string) bool {
	c.t.Helper()
	m, _ := c.do(jute.OpExists, &jute.PathWatchRequest{Path: path})
	return m.Err == 0
}

func newNode(path string, flags int32) *jute.CreateRequest {
	return &jute.CreateRequest{Path: path, Data: []byte("data"), ACL: jute.WorldAnyone(), Flags: flags}
}

// startServer serves on a free port until the test ends.
func startServer(t testing.TB, opts zkserver.Options) (s *zkserver.Server, addr string) {
	t.Helper()
	return startServerIn(context.Background(), t, opts)
}

// startServerIn is startServer with what the context of Serve holds.
func startServerIn(ctx context.Context, t testing.TB, opts zkserver.Options) (s *zkserver.Server, addr string) {
	t.Helper()
	s, err := zkserver.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		s.Close()
		if err := <-done; !errors.Is(err, zkserver.ErrServerClosed) {
			t.Errorf("Serve: got %v, want %v", err, zkserver.ErrServerClosed)
		}
	})
	return s, l.Addr().String()
}
