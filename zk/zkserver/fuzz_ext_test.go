// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver_test

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zkserver"
)

// fuzzServer serves without a port.
func fuzzServer(f *testing.F) *zkserver.Server {
	f.Helper()
	s, err := zkserver.New(zkserver.Options{})
	if err != nil {
		f.Fatal(err)
	}
	done := make(chan error, 1)
	l := newPipeListener()
	go func() { done <- s.Serve(context.Background(), l) }()
	client, server := net.Pipe()
	l.conns <- server // taken: it serves
	client.Close()
	f.Cleanup(func() {
		s.Close()
		<-done //nolint:errcheck // what comes of it is looked at elsewhere
	})
	return s
}

// talk sends input on a new connection and returns when the server has ended
// it or answered the ping behind the input.
func talk(t *testing.T, s *zkserver.Server, input []byte) {
	t.Helper()
	client, server := net.Pipe()
	served := make(chan struct{})
	go func() {
		defer close(served)
		s.ServeConn(server)
	}()
	read := make(chan struct{})
	go func() {
		defer close(read)
		io.Copy(io.Discard, client) //nolint:errcheck // it ends when the connection does
	}()
	client.SetDeadline(time.Now().Add(frameWait)) //nolint:errcheck // it shows in the next read or write
	if _, err := client.Write(input); err == nil {
		client.Close()
	}
	<-served
	client.Close()
	<-read
}

// healthy demands that the server still works.
func healthy(t *testing.T, s *zkserver.Server) {
	t.Helper()
	client, server := net.Pipe()
	served := make(chan struct{})
	go func() {
		defer close(served)
		s.ServeConn(server)
	}()
	c := &rawConn{t: t, nc: client}
	c.handshake(jute.ConnectRequest{TimeoutMillis: 4000, HasReadOnly: true})
	c.must(jute.OpSync, &jute.Path{Path: "/"}, nil)
	c.must(jute.OpCloseSession, &jute.Empty{}, nil)
	c.wantEOF()
	<-served
}

// FuzzRequest sends one request with any body on a live connection.
func FuzzRequest(f *testing.F) {
	for _, op := range jute.Ops() {
		f.Add(int32(op.Code), op.NewRequest().Append(nil))
	}
	f.Add(int32(jute.OpCreate), newNode("/a", jute.FlagEphemeralSequential).Append(nil))
	f.Add(int32(jute.OpGetData), (&jute.PathWatchRequest{Path: "/zookeeper", Watch: true}).Append(nil))
	f.Add(int32(jute.OpMulti), (&jute.MultiRequest{Ops: []jute.MultiOp{
		{Op: jute.OpCreate2, Request: newNode("/m", 2)},
		{Op: jute.OpCheck, Request: &jute.PathVersionRequest{Path: "/m", Version: 0}},
	}}).Append(nil))
	f.Add(int32(jute.OpSetWatches2), (&jute.SetWatches2Request{
		SetWatchesRequest: jute.SetWatchesRequest{Data: []string{"/"}, Child: []string{"/x"}},
		Persistent:        []string{"/"},
	}).Append(nil))
	f.Add(int32(jute.OpSetACL), (&jute.SetACLRequest{Path: "/zookeeper", ACL: []jute.ACL{{Perms: 31, Scheme: "ip", ID: "::1/3"}}}).Append(nil))
	s := fuzzServer(f)
	hello := connectFrame(jute.ConnectRequest{TimeoutMillis: 4000})
	bye := request(9, jute.OpCloseSession, nil)
	f.Fuzz(func(t *testing.T, op int32, body []byte) {
		input := append([]byte(nil), hello...)
		input = append(input, request(1, jute.OpCode(op), raw(body))...)
		talk(t, s, append(input, bye...))
		if got := s.Watches(); got != 0 {
			t.Errorf("got %d watches of ended connections, want 0", got)
		}
		healthy(t, s)
	})
}

// FuzzConnection sends any bytes as a connection.
func FuzzConnection(f *testing.F) {
	hello := connectFrame(jute.ConnectRequest{TimeoutMillis: 4000, HasReadOnly: true})
	f.Add([]byte("ruok"))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Add([]byte{0, 0x0f, 0xff, 0xff, 1})
	f.Add(hello)
	f.Add(append(hello, request(1, jute.OpCreate, newNode("/a", 0))...))
	f.Add(append(hello, request(1, jute.OpGetChildren, &jute.PathWatchRequest{Path: "/", Watch: true})...))
	f.Add(append(hello, request(-4, jute.OpAuth, &jute.AuthRequest{Scheme: "digest", Auth: []byte("a:b")})...))
	f.Add(append(hello, request(1, 999, nil)...))
	f.Add(append(hello, 0, 0, 0, 0))
	s := fuzzServer(f)
	f.Fuzz(func(t *testing.T, input []byte) {
		talk(t, s, input)
		if got := s.Watches(); got != 0 {
			t.Errorf("got %d watches of ended connections, want 0", got)
		}
	})
}
