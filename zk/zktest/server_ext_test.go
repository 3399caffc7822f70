// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zktest_test

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zkserver"
	"github.com/rollcall-rpc/rollcall/zk/zktest"
)

// A session is a client of a few frames.
type session struct {
	t        *testing.T
	nc       net.Conn
	id, zxid int64
	password []byte
}

// connect opens a session, or asks for the one that old had.
func connect(t *testing.T, addr string, old *session) *session {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	s := &session{t: t, nc: nc}
	r := jute.ConnectRequest{TimeoutMillis: 1500, HasReadOnly: true}
	if old != nil {
		r.SessionID, r.Password, r.LastZxidSeen = old.id, old.password, old.zxid
	}
	var resp jute.ConnectResponse
	b, err := s.exchange(jute.AppendFrame(nil, r.Append))
	if err != nil {
		t.Fatal(err)
	}
	d := jute.NewDecoder(b)
	resp.Decode(&d)
	s.id, s.password = resp.SessionID, resp.Password
	return s
}

func (s *session) exchange(frame []byte) ([]byte, error) {
	s.nc.SetDeadline(time.Now().Add(20 * time.Second)) //nolint:errcheck // it shows in the next read or write
	if _, err := s.nc.Write(frame); err != nil {
		return nil, err
	}
	var size [4]byte
	if _, err := io.ReadFull(s.nc, size[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint32(size[:]))
	_, err := io.ReadFull(s.nc, b)
	return b, err
}

// do returns the error code of a request, and -4 (connection loss) if there was
// no answer.
func (s *session) do(op jute.OpCode, r jute.Record) jute.ErrCode {
	s.t.Helper()
	b, err := s.exchange(jute.AppendFrame(nil, func(b []byte) []byte {
		h := jute.RequestHeader{Xid: 1, Op: op}
		return r.Append(h.Append(b))
	}))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		s.t.Fatal(err)
	}
	if err != nil {
		return -4
	}
	var h jute.ReplyHeader
	d := jute.NewDecoder(b)
	h.Decode(&d)
	s.zxid = h.Zxid
	return h.Err
}

func (s *session) create(path string, flags int32) jute.ErrCode {
	s.t.Helper()
	return s.do(jute.OpCreate, &jute.CreateRequest{Path: path, ACL: jute.WorldAnyone(), Flags: flags})
}

func (s *session) exists(path string) bool {
	s.t.Helper()
	return s.do(jute.OpExists, &jute.PathWatchRequest{Path: path}) == 0
}

func TestRestartKeepsSessions(t *testing.T) {
	srv := zktest.Start(t)
	addr := srv.Addr()
	if got, want := srv.Target("/rpc"), "zk://"+addr+"/rpc"; got != want {
		t.Errorf("Target: got %q, want %q", got, want)
	}
	a := connect(t, addr, nil)
	a.create("/e", jute.FlagEphemeral)
	srv.Stop()
	srv.Stop()
	if a.exists("/e") {
		t.Error("a stopped server has answered")
	}
	if nc, err := net.Dial("tcp", addr); err == nil {
		nc.Close()
		t.Error("a stopped server has accepted a connection")
	}
	srv.Restart()
	if srv.Addr() != addr {
		t.Errorf("Addr: got %s, want %s as before", srv.Addr(), addr)
	}
	b := connect(t, addr, a)
	if b.id != a.id || !b.exists("/e") {
		t.Errorf("got session 0x%x, want 0x%x and its node", b.id, a.id)
	}
	srv.Restart()
	if b = connect(t, addr, a); b.id != a.id {
		t.Errorf("after a second restart: got session 0x%x, want 0x%x", b.id, a.id)
	}
}

// Empty again at once, and more than once within a second: clients are told that
// their session has expired, and are not turned away.
func TestRestartEmptyExpiresSessions(t *testing.T) {
	srv := zktest.Start(t)
	for range 3 {
		a := connect(t, srv.Addr(), nil)
		if err := a.create("/n", 0); err != 0 {
			t.Fatalf("create: got %v, want ok", err)
		}
		srv.RestartEmpty()
		if b := connect(t, srv.Addr(), a); b.id != 0 {
			t.Errorf("got session 0x%x, want expired", b.id)
		}
		if c := connect(t, srv.Addr(), nil); c.id == 0 || c.id == a.id || c.exists("/n") {
			t.Errorf("got session 0x%x, want a new one on an empty tree", c.id)
		}
	}
}

func TestExpireAndCut(t *testing.T) {
	srv := zktest.Start(t)
	a, obs := connect(t, srv.Addr(), nil), connect(t, srv.Addr(), nil)
	a.create("/e", jute.FlagEphemeral)
	if got := srv.Sessions(); len(got) != 2 || got[0].ID != a.id || got[0].Ephemerals != 1 || got[0].Timeout != 1500*time.Millisecond {
		t.Errorf("Sessions: got %+v", got)
	}
	if !srv.CutConnection(a.id) {
		t.Error("CutConnection: got false, want true")
	}
	if a.exists("/e") {
		t.Error("a cut connection has answered")
	}
	a = connect(t, srv.Addr(), a)
	if !a.exists("/e") {
		t.Error("the node of a session whose connection was cut is gone")
	}
	if !srv.ExpireSession(a.id) {
		t.Error("ExpireSession: got false, want true")
	}
	if obs.exists("/e") {
		t.Error("the node of an expired session is there")
	}
	if b := connect(t, srv.Addr(), a); b.id != 0 {
		t.Errorf("got session 0x%x, want expired", b.id)
	}
	if srv.ExpireSession(a.id) || srv.CutConnection(a.id) {
		t.Error("an expired session was found")
	}
}

func TestGate(t *testing.T) {
	srv := zktest.Start(t)
	a := connect(t, srv.Addr(), nil)
	release := srv.Refuse()
	nc, err := net.Dial("tcp", srv.Addr())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := nc.Read(make([]byte, 1)); err == nil {
		t.Error("a refused connection was sent something")
	}
	if !a.exists("/") {
		t.Error("an open connection is not served while others are refused")
	}
	release()
	release() // once more does nothing
	unhold := srv.Hold()
	held := make(chan *session, 1)
	go func() { held <- connect(t, srv.Addr(), nil) }()
	if !a.exists("/") {
		t.Error("an open connection is not served while others are held")
	}
	if got := len(srv.Sessions()); got != 1 {
		t.Errorf("got %d sessions while connections are held, want 1", got)
	}
	unhold()
	if s := <-held; s.id == 0 {
		t.Error("a held connection got no session when it was let go")
	}
	srv.Hold()
	srv.Stop() // a held connection does not hold it up
}

func TestOptions(t *testing.T) {
	srv := zktest.StartOptions(t, zktest.Options{
		MaxSessionTimeout: time.Second, SuperDigest: zkserver.Digest([]byte("super:secret")),
	})
	a := connect(t, srv.Addr(), nil)
	if got := srv.Sessions()[0].Timeout; got != time.Second {
		t.Errorf("timeout: got %v, want 1s", got)
	}
	set := &jute.SetDataRequest{Path: "/zookeeper/config", Version: -1}
	if got := a.do(jute.OpSetData, set); got != jute.ErrNoAuth {
		t.Errorf("set: got %v, want no auth", got)
	}
	a.do(jute.OpAuth, &jute.AuthRequest{Scheme: "digest", Auth: []byte("super:secret")})
	if got := a.do(jute.OpSetData, set); got != 0 {
		t.Errorf("set by super: got %v, want ok", got)
	}
}
