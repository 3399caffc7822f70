// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"math"
	"net"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zkserver"
)

func connectFrame(r jute.ConnectRequest) []byte { return jute.AppendFrame(nil, r.Append) }

func TestHandshakeBytes(t *testing.T) {
	_, addr := startServer(t, zkserver.Options{})
	for _, tc := range []struct {
		name string
		flag bool
		size int
	}{
		{"with the read-only flag", true, 37},
		{"without it", false, 36},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := dialRaw(t, addr)
			c.write(connectFrame(jute.ConnectRequest{TimeoutMillis: 10000, HasReadOnly: tc.flag, Password: make([]byte, 16)}))
			b := c.frame()
			if len(b) != tc.size {
				t.Fatalf("got %d bytes, want %d", len(b), tc.size)
			}
			if got, want := hex.EncodeToString(b[:8]), "0000000000002710"; got != want {
				t.Errorf("version and timeout: got %s, want %s", got, want)
			}
			if id := binary.BigEndian.Uint64(b[8:]); id>>56 != 1 {
				t.Errorf("session id: got 0x%x, want a first byte of 1", id)
			}
			if got := binary.BigEndian.Uint32(b[16:]); got != 16 {
				t.Errorf("password: got %d bytes, want 16", got)
			}
			if tc.flag && b[36] != 0 {
				t.Errorf("read-only: got %d, want 0", b[36])
			}
		})
	}
}

// expiredBytes is how a client learns that its session is gone.
var expiredBytes = append(append(make([]byte, 16), 0, 0, 0, 16), make([]byte, 17)...)

func TestHandshakeRefused(t *testing.T) {
	_, addr := startServer(t, zkserver.Options{})
	owner := open(t, addr, 10*time.Second)
	for _, tc := range []struct {
		name string
		req  jute.ConnectRequest
		want []byte
	}{
		{"unknown session", jute.ConnectRequest{SessionID: 0x1234, Password: make([]byte, 16), HasReadOnly: true}, expiredBytes},
		{"unknown session, no flag", jute.ConnectRequest{SessionID: 0x1234, Password: make([]byte, 16)}, expiredBytes[:36]},
		{"wrong password", jute.ConnectRequest{SessionID: owner.id, Password: make([]byte, 16), HasReadOnly: true}, expiredBytes},
		{"no password", jute.ConnectRequest{SessionID: owner.id, HasReadOnly: true}, expiredBytes},
		{"long password", jute.ConnectRequest{SessionID: owner.id, Password: append(owner.password, 0), HasReadOnly: true}, expiredBytes},
		{"later zxid", jute.ConnectRequest{LastZxidSeen: math.MaxInt64, HasReadOnly: true}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := dialRaw(t, addr)
			c.write(connectFrame(tc.req))
			if tc.want != nil {
				if got := c.frame(); !bytes.Equal(got, tc.want) {
					t.Errorf("got %x, want %x", got, tc.want)
				}
			}
			c.wantEOF()
		})
	}
	// The owner was not disturbed by who does not know the password.
	owner.create("/still-there", 0)
}

func TestHandshakeTooLate(t *testing.T) {
	_, addr := startServer(t, zkserver.Options{HandshakeTimeout: 20 * time.Millisecond})
	c := dialRaw(t, addr)
	c.write([]byte{0, 0, 0, 44, 0})
	c.wantEOF()
}

func TestReattach(t *testing.T) {
	_, addr := startServer(t, zkserver.Options{})
	first := open(t, addr, 10*time.Second)
	first.create("/e", 1)
	before := first.stat("/")
	second, resp := first.reattach(addr)
	if resp.SessionID != first.id || !bytes.Equal(resp.Password, first.password) {
		t.Errorf("got session 0x%x and password %x, want 0x%x and %x", resp.SessionID, resp.Password, first.id, first.password)
	}
	first.wantEOF()
	if got := second.stat("/e").EphemeralOwner; got != first.id {
		t.Errorf("owner: got 0x%x, want 0x%x", got, first.id)
	}
	// Attaching is no transaction.
	second.create("/next", 0)
	if got, want := second.stat("/next").Czxid, before.Pzxid+1; got != want {
		t.Errorf("zxid of the next create: got 0x%x, want 0x%x", got, want)
	}
}

// A session that was asked for when serving ended has never begun: it must not be
// taken for one that has to expire.
func TestNoSessionIsLeftOfALateHandshake(t *testing.T) {
	s, err := zkserver.New(zkserver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	client, server := net.Pipe()
	c := &rawConn{t: t, nc: client}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.ServeConn(server) // nothing is served: nobody begins sessions
	}()
	c.write(connectFrame(jute.ConnectRequest{TimeoutMillis: 10000}))
	c.wantEOF()
	<-ended
	if got := s.KnownSessions(); got != 0 {
		t.Errorf("got %d sessions, want none", got)
	}
}

func TestConnectionLimits(t *testing.T) {
	_, addr := startServer(t, zkserver.Options{MaxConnectionsPerHost: 2})
	a, b := open(t, addr, 10*time.Second), open(t, addr, 10*time.Second)
	dialRaw(t, addr).wantEOF()
	b.must(jute.OpCloseSession, &jute.Empty{}, nil)
	b.wantEOF()
	b.nc.Close()
	a.create("/still-there", 0)
	waitFor(t, "room for one more", func() bool {
		c := dialRaw(t, addr)
		c.write(connectFrame(jute.ConnectRequest{}))
		_, err := c.next()
		return err == nil
	})
}

// waitFor calls cond until it holds.
func waitFor(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(frameWait); time.Now().Before(deadline); {
		if cond() {
			return
		}
	}
	t.Fatalf("no %s within %v", what, frameWait)
}
