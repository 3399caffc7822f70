// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver_test

import (
	"bytes"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zkserver"
)

func TestGreatestFrame(t *testing.T) {
	_, addr := startServer(t, zkserver.Options{})
	c := open(t, addr, 40*time.Second) // a busy machine may take long
	const limit = 1<<20 - 1
	r := newNode("/big", 0)
	r.Data = nil
	r.Data = bytes.Repeat([]byte{7}, limit-(len(request(1, jute.OpCreate, r))-4))
	if got := len(request(1, jute.OpCreate, r)) - 4; got != limit {
		t.Fatalf("the test's frame has %d bytes, want %d", got, limit)
	}
	c.must(jute.OpCreate, r, nil)
	var answer jute.GetDataResponse
	c.must(jute.OpGetData, &jute.PathWatchRequest{Path: "/big"}, &answer)
	if !bytes.Equal(answer.Data, r.Data) {
		t.Errorf("got %d bytes back, want the %d that were sent", len(answer.Data), len(r.Data))
	}
	// Many of them in a row are more than waits to be sent at a time.
	const times = 40
	for range times {
		c.send(jute.OpGetData, &jute.PathWatchRequest{Path: "/big"})
	}
	for range times {
		if m := c.message(); m.Err != 0 || len(m.body) < len(r.Data) {
			t.Fatalf("got %v and %d bytes", m.Err, len(m.body))
		}
	}
	// One byte more is refused by its length alone, before the body has come.
	r.Data = append(r.Data, 7)
	c.write(request(1, jute.OpCreate, r)[:4])
	c.wantEOF()
}

func TestBadFrames(t *testing.T) {
	_, addr := startServer(t, zkserver.Options{})
	for _, tc := range []struct {
		name  string
		bytes []byte
	}{
		{"negative length", []byte{0xff, 0xff, 0xff, 0xfb}},
		{"length one too great", []byte{0, 0x10, 0, 0}},
		{"empty frame", []byte{0, 0, 0, 0}},
		{"half a header", []byte{0, 0, 0, 4, 0, 0, 0, 1}},
		{"four-letter word", []byte("ruok")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := open(t, addr, 10*time.Second)
			c.write(tc.bytes)
			c.wantEOF()
		})
		if tc.name == "four-letter word" {
			continue // as a handshake it is one
		}
		t.Run(tc.name+" as a handshake", func(t *testing.T) {
			c := dialRaw(t, addr)
			c.write(tc.bytes)
			c.wantEOF()
		})
	}
}

func TestBadBodies(t *testing.T) {
	_, addr := startServer(t, zkserver.Options{})
	c := open(t, addr, 10*time.Second)
	c.create("/a", 0)
	for _, op := range jute.Ops() {
		whole := op.NewRequest().Append(nil)
		switch op.Code {
		case jute.OpCheck, jute.OpPing, jute.OpCloseSession:
			continue // it has no body, or ends the connection
		case jute.OpAuth, jute.OpSASL:
			continue // they end the connection, see digests.txt
		}
		t.Run(op.Name, func(t *testing.T) {
			c.t = t
			for cut := range whole {
				c.write(request(7, op.Code, raw(whole[:cut])))
				if m := c.message(); m.Xid != 7 || m.Err != jute.ErrMarshalling || len(m.body) > 0 {
					t.Errorf("cut to %d bytes of %d: got xid %d, %v and a body of %d bytes, want 7, %v and none",
						cut, len(whole), m.Xid, m.Err, len(m.body), jute.ErrMarshalling)
				}
			}
		})
	}
	c.t = t
	// What stands behind a request is not looked at.
	read := jute.PathWatchRequest{Path: "/a"}
	c.must(jute.OpGetData, raw(append(read.Append(nil), 1, 2, 3)), nil)
	for _, body := range [][]byte{
		{0x7f, 0xff, 0xff, 0xff},                         // a path as long as can be
		{0xff, 0xff, 0xff, 0xf0},                         // a negative length
		{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0}, // null
	} {
		c.fails(jute.ErrMarshalling, jute.OpGetData, raw(body))
		c.fails(jute.ErrMarshalling, jute.OpDelete, raw(body))
		c.fails(jute.ErrMarshalling, jute.OpCreate, raw(body))
	}
	null := raw{0xff, 0xff, 0xff, 0xff}
	c.fails(jute.ErrMarshalling, jute.OpSetWatches, append(make(raw, 8), null...))
	// A null ACL is one that is not valid.
	create := jute.AppendBuffer(jute.AppendString(nil, "/n"), nil)
	c.fails(jute.ErrInvalidACL, jute.OpCreate, append(raw(create), 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0))
}

// raw is a record of given bytes.
type raw []byte

func (r raw) Append(b []byte) []byte { return append(b, r...) }
func (raw) Decode(*jute.Decoder)     {}

func TestUnknownOperation(t *testing.T) {
	_, addr := startServer(t, zkserver.Options{})
	for _, op := range []jute.OpCode{999, 10, 0, -1, -10, -12, 13, 20, 108, 500, 1 << 30, -1 << 31} {
		t.Run(strconv.Itoa(int(op)), func(t *testing.T) {
			c := open(t, addr, 10*time.Second)
			c.write(append(request(1, jute.OpCreate, newNode(fmt.Sprint("/n", op), 0)), request(2, op, &jute.Empty{})...))
			if m := c.message(); m.Xid != 1 || m.Err != 0 {
				t.Errorf("create before it: got xid %d and %v, want 1 and ok", m.Xid, m.Err)
			}
			m := c.message()
			want := jute.ReplyHeader{Xid: 2, Zxid: -1, Err: jute.ErrUnimplemented}
			if m.ReplyHeader != want {
				t.Errorf("got %+v, want %+v", m.ReplyHeader, want)
			}
			c.wantEOF()
			if _, resp := c.reattach(addr); resp.SessionID != c.id {
				t.Error("the session is gone, want it to live on")
			}
		})
	}
}

func TestCloseSession(t *testing.T) {
	_, addr := startServer(t, zkserver.Options{})
	obs := open(t, addr, 10*time.Second)
	obs.create("/p", 0)
	c := open(t, addr, 10*time.Second)
	c.create("/p/e1", 1)
	c.create("/p/e2", 1)
	b := request(50, jute.OpCreate, newNode("/p/e3", 1))
	b = append(b, request(51, jute.OpCloseSession, nil)...)
	b = append(b, request(52, jute.OpSetData, &jute.SetDataRequest{Path: "/p", Version: -1})...)
	b = append(b, request(53, jute.OpExists, &jute.PathWatchRequest{Path: "/p"})...)
	c.write(b)
	var closed message
	for i, want := range []jute.ErrCode{0, 0, jute.ErrSessionExpired, jute.ErrSessionExpired} {
		m := c.message()
		if m.Xid != int32(50+i) || m.Err != want {
			t.Errorf("reply %d: got xid %d and %v, want %d and %v", i, m.Xid, m.Err, 50+i, want)
		}
		if i == 1 {
			closed = m
		}
	}
	c.wantEOF()
	p := obs.stat("/p")
	if p.NumChildren != 0 || p.Cversion != 6 || p.Pzxid != closed.Zxid {
		t.Errorf("parent: got %d children, cversion %d, pzxid 0x%x; want 0, 6, 0x%x", p.NumChildren, p.Cversion, p.Pzxid, closed.Zxid)
	}
	if _, resp := c.reattach(addr); resp.TimeoutMillis != 0 || resp.SessionID != 0 {
		t.Errorf("re-attach: got %+v, want expired", resp)
	}
}
