// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"io"
	"net"
	"testing"

	"github.com/rollcall-rpc/rollcall/frame"
	"github.com/rollcall-rpc/rollcall/internal/memnet"
)

// A peer speaks the protocol by hand.
type peer struct {
	t    testing.TB
	conn net.Conn
}

// dialServer returns a peer that plays the client of a server, with the preface
// exchanged unless it is nil.
func dialServer(t testing.TB, so ServerOptions, preface *frame.Preface) (*peer, *ServerConn, <-chan error) {
	t.Helper()
	if so.Handler == nil {
		so.Handler = echo
	}
	a, b := memnet.Pipe()
	s := NewServerConn(b, so)
	served := make(chan error, 1)
	go func() { served <- s.Serve(t.Context()) }()
	t.Cleanup(func() {
		s.Close()
		a.Close()
	})
	p := &peer{t, a}
	if preface != nil {
		p.send(frame.AppendPreface(nil, *preface))
		if got := p.serverPreface(); got.Status != frame.StatusOK {
			t.Fatalf("preface answered with %v", got.Status)
		}
	}
	return p, s, served
}

// acceptClient returns a peer that plays the server of a client. The client's
// preface is read, and answered if answer is not nil.
func acceptClient(t testing.TB, co ClientOptions, answer *frame.ServerPreface) (*peer, *ClientConn) {
	t.Helper()
	a, b := memnet.Pipe()
	c := NewClientConn(a, co)
	t.Cleanup(func() {
		b.Close()
		c.Close()
	})
	p := &peer{t, b}
	if _, err := frame.ParsePreface(p.preface()); err != nil {
		t.Fatal(err)
	}
	if answer != nil {
		p.send(frame.AppendServerPreface(nil, *answer))
		if err := c.Handshake(t.Context()); err != nil && answer.Status == frame.StatusOK {
			t.Fatal(err)
		}
	}
	return p, c
}

func (p *peer) send(b []byte) {
	p.t.Helper()
	if _, err := p.conn.Write(b); err != nil {
		p.t.Errorf("peer's write: %v", err)
	}
}

func (p *peer) sendFrame(typ frame.Type, flags frame.Flags, id uint64, payload []byte) {
	p.t.Helper()
	p.send(frameBytes(typ, flags, id, payload))
}

func frameBytes(typ frame.Type, flags frame.Flags, id uint64, payload []byte) []byte {
	h := frame.Header{Length: uint32(len(payload)), Type: typ, Flags: flags, StreamID: id}
	return append(frame.AppendHeader(nil, h), payload...)
}

func (p *peer) request(id uint64, flags frame.Flags, body string) {
	p.t.Helper()
	p.sendFrame(frame.TypeRequest, flags, id, frame.AppendRequest(nil, &frame.Request{Method: []byte("M"), Body: []byte(body)}))
}

func (p *peer) preface() []byte {
	p.t.Helper()
	b := make([]byte, frame.PrefaceHeaderBytes)
	if _, err := io.ReadFull(p.conn, b); err != nil {
		p.t.Fatalf("reading a preface: %v", err)
	}
	n, err := frame.PrefaceSize(b)
	if err != nil {
		p.t.Fatal(err)
	}
	b = append(b, make([]byte, n-len(b))...) //nolint:makezero // it is cut to length
	if _, err := io.ReadFull(p.conn, b[frame.PrefaceHeaderBytes:]); err != nil {
		p.t.Fatalf("reading a preface: %v", err)
	}
	return b
}

func (p *peer) serverPreface() frame.ServerPreface {
	p.t.Helper()
	s, err := frame.ParseServerPreface(p.preface())
	if err != nil {
		p.t.Fatal(err)
	}
	return s
}

// next reads a frame; its type is 0 at the end of the connection.
func (p *peer) next() (frame.Header, []byte) {
	p.t.Helper()
	b := make([]byte, frame.HeaderBytes)
	if _, err := io.ReadFull(p.conn, b); err != nil {
		return frame.Header{}, nil
	}
	h, err := frame.ParseHeader(b)
	if err != nil {
		p.t.Fatal(err)
	}
	payload := make([]byte, h.Length)
	if _, err := io.ReadFull(p.conn, payload); err != nil {
		return frame.Header{}, nil
	}
	return h, payload
}

// want reads a frame that must be of a type and stream.
func (p *peer) want(typ frame.Type, id uint64) []byte {
	p.t.Helper()
	h, payload := p.next()
	if h.Type != typ || h.StreamID != id {
		p.t.Fatalf("got %v on stream %d, want %v on %d", h.Type, h.StreamID, typ, id)
	}
	return payload
}

func (p *peer) wantReply(id uint64, body string) {
	p.t.Helper()
	r, err := frame.ParseReply(p.want(frame.TypeReply, id), 1<<16)
	if err != nil || string(r.Body) != body {
		p.t.Errorf("reply on %d: %q, %v; want %q", id, r.Body, err, body)
	}
}

func (p *peer) wantError(id uint64) *RemoteError {
	p.t.Helper()
	e, err := frame.ParseError(p.want(frame.TypeError, id))
	if err != nil {
		p.t.Fatal(err)
	}
	return (*RemoteError)(&e)
}

func (p *peer) wantGoAway() frame.GoAway {
	p.t.Helper()
	g, err := frame.ParseGoAway(p.want(frame.TypeGoAway, 0))
	if err != nil {
		p.t.Fatal(err)
	}
	return g
}

func (p *peer) wantEnd() {
	p.t.Helper()
	if h, _ := p.next(); h.Type != 0 {
		p.t.Errorf("got %v on %d, want the end of the connection", h.Type, h.StreamID)
	}
}

var ok = &frame.ServerPreface{Status: frame.StatusOK}
