// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"

	"github.com/rollcall-rpc/rollcall/internal/testca"
)

// A meteredConn counts writes, and fails them once it is told to.
type meteredConn struct {
	net.Conn
	writes atomic.Int32
	broken atomic.Bool
	begun  chan struct{} // has room for whoever is told of each write; nil: nobody
}

var errMetered = errors.New("the cable is cut")

func (c *meteredConn) Write(b []byte) (int, error) {
	c.writes.Add(1)
	if c.begun != nil {
		c.begun <- struct{}{}
	}
	if c.broken.Load() {
		return 0, errMetered
	}
	return c.Conn.Write(b)
}

// securePair returns both ends of a connection with TLS over pipes.
func securePair(t *testing.T) (client, server *secureConn, below *meteredConn) {
	t.Helper()
	ca := testca.New("test")
	near, far := net.Pipe()
	t.Cleanup(func() {
		near.Close()
		far.Close()
	})
	below = &meteredConn{Conn: near}
	client = secureWith(tls.Client, below, &tls.Config{RootCAs: ca.Pool(), ServerName: "server", DynamicRecordSizingDisabled: true, MinVersion: tls.VersionTLS13})
	server = secureWith(tls.Server, far, &tls.Config{
		Certificates: []tls.Certificate{ca.Issue(testca.Leaf{Names: []string{"server"}}).TLS()}, MinVersion: tls.VersionTLS13, SessionTicketsDisabled: true,
	})
	shaken := make(chan error, 1)
	go func() { shaken <- server.Handshake() }()
	if err := errors.Join(client.Handshake(), <-shaken); err != nil {
		t.Fatal(err)
	}
	return client, server, below
}

// TestRecordsGoTogether has one write of several records take one write below.
func TestRecordsGoTogether(t *testing.T) {
	client, server, below := securePair(t)
	sent := bytes.Repeat([]byte("0123456789abcdef"), recordsAtOnce/16)
	got, read := make([]byte, len(sent)), make(chan error, 1)
	go func() {
		_, err := io.ReadFull(server, got)
		read <- err
	}()
	before := below.writes.Load()
	if n, err := client.Write(sent); n != len(sent) || err != nil {
		t.Fatalf("got %d, %v", n, err)
	}
	if err := <-read; err != nil || !bytes.Equal(got, sent) {
		t.Errorf("what was read is what was sent: %t, %v", bytes.Equal(got, sent), err)
	}
	if n := below.writes.Load() - before; n != 1 {
		t.Errorf("%d writes below, want 1", n)
	}
}

// TestWriteFailsBelow: a failed write says so, and takes nothing back that may have
// gone out.
func TestWriteFailsBelow(t *testing.T) {
	client, _, below := securePair(t)
	below.broken.Store(true)
	if n, err := client.Write(make([]byte, 100)); n != 100 || !errors.Is(err, errMetered) {
		t.Errorf("got %d, %v; want 100 and %v", n, err, errMetered)
	}
}

// TestCloseBehindAWrite closes a connection whose peer does not read.
func TestCloseBehindAWrite(t *testing.T) {
	client, _, below := securePair(t)
	written := make(chan error, 1)
	below.begun = make(chan struct{}, 2)
	go func() {
		_, err := client.Write(make([]byte, 100))
		written <- err
	}()
	<-below.begun
	client.Close() // at once, and without a last word
	if err := <-written; err == nil {
		t.Error("the write succeeded")
	}
	if n := len(below.begun); n != 0 {
		t.Errorf("%d writes more, want none", n)
	}
}
