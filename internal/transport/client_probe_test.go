// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"crypto/tls"
	"io"
	"net"
	"runtime"
	"testing"
)

// An embedding is a wrapper that does not tell what it wraps.
type embedding struct{ net.Conn }

// A telling is one that does.
type telling struct{ net.Conn }

func (w telling) NetConn() net.Conn { return w.Conn }

// wrappers are what a socket may lie in, and still be asked.
var wrappers = map[string]func(net.Conn) net.Conn{
	"bare":  func(c net.Conn) net.Conn { return c },
	"TLS":   func(c net.Conn) net.Conn { return tls.Client(c, &tls.Config{MinVersion: tls.VersionTLS13}) },
	"twice": func(c net.Conn) net.Conn { return telling{telling{c}} },
	"TLS in a wrapper": func(c net.Conn) net.Conn {
		return telling{tls.Client(telling{c}, &tls.Config{MinVersion: tls.VersionTLS13})}
	},
}

// Bytes that nobody has read yet are known to be there.
func TestUnreadBytesAreSeen(t *testing.T) {
	for name, wrap := range wrappers {
		t.Run(name, func(t *testing.T) {
			client, server := tcpPair(t)
			defer client.Close()
			defer server.Close()
			p := NewProbe(wrap(client))
			if p == nil && runtime.GOOS != "linux" {
				t.Skip("the sockets of this system cannot be asked")
			}
			if p.unread() {
				t.Error("seen before anything was sent")
			}
			if _, err := server.Write([]byte("xy")); err != nil {
				t.Fatal(err)
			}
			var b [1]byte
			for _, want := range []bool{true, false} { // the first byte has come when it is read
				if _, err := client.Read(b[:]); err != nil {
					t.Fatal(err)
				}
				if got := p.unread(); got != want {
					t.Errorf("seen: %t, want %t", got, want)
				}
			}
		})
	}
}

// What a socket holds can be told without reading it: nothing, bytes, its end.
func TestPeek(t *testing.T) {
	for name, wrap := range wrappers {
		t.Run(name, func(t *testing.T) {
			client, server := tcpPair(t)
			defer client.Close()
			defer server.Close()
			p := NewProbe(wrap(client))
			if p == nil && runtime.GOOS != "linux" {
				t.Skip("the sockets of this system cannot be asked")
			}
			want := func(what string, want Pending) {
				t.Helper()
				if got := p.Peek(); got != want {
					t.Errorf("%s: got %d, want %d", what, got, want)
				}
			}
			arrival := func() { // waits for something to be read, and leaves it there
				raw, err := client.(*net.TCPConn).SyscallConn()
				if err == nil {
					err = raw.Read(func(uintptr) bool { return p.Peek() != PendingNone })
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			want("at first", PendingNone)
			if _, err := server.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			arrival()
			want("bytes", PendingBytes)
			if _, err := client.Read(make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			want("all read", PendingNone)
			server.Close()
			arrival()
			want("ended", PendingEnd)
			client.Close()
			want("closed", PendingEnd)
		})
	}
}

// A socket tells how much its peer has not acknowledged.
func TestUnsentBytesAreSeen(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the sockets of this system do not tell")
	}
	for name, wrap := range wrappers {
		t.Run(name, func(t *testing.T) {
			client, server := tcpPair(t)
			defer client.Close()
			defer server.Close()
			p, raw := NewProbe(wrap(client)), newRawWriter(client)
			if n, known := p.unsent(); n != 0 || !known {
				t.Errorf("%d bytes before anything was sent, known: %t", n, known)
			}
			const most = 1 << 20
			total := 0
			for n := most; n == most; total += n { // until neither kernel takes more
				var err error
				if n, err = raw.try(make([]byte, most)); err != nil {
					t.Fatal(err)
				}
			}
			if n, _ := p.unsent(); n == 0 || n > uint64(total) {
				t.Errorf("%d of %d bytes that nobody reads", n, total)
			}
			if _, err := io.CopyN(io.Discard, server, int64(total)); err != nil {
				t.Fatal(err)
			}
			if _, err := server.Write([]byte("x")); err != nil { // tells how far it has read
				t.Fatal(err)
			}
			if _, err := client.Read(make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			if n, known := p.unsent(); n != 0 || !known {
				t.Errorf("%d bytes after all were read, known: %t", n, known)
			}
		})
	}
}

// Where there is no socket to be found nothing is known, and nothing breaks.
func TestNoSocketToAsk(t *testing.T) {
	client, server := tcpPair(t)
	defer client.Close()
	defer server.Close()
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	for name, conn := range map[string]net.Conn{"no connection": nil, "a wrapper": embedding{client}, "a wrapper of nothing": telling{nil}, "a pipe": a} {
		p := NewProbe(conn)
		if _, known := p.unsent(); known || p.unread() || p.Peek() != PendingUnknown {
			t.Errorf("%s: known: %t, unread: %t", name, known, p.unread())
		}
	}
}

// A socket is written to directly only where nothing lies between: what a wrapper
// does to the bytes is its secret.
func TestOnlyABareSocketIsWrittenDirectly(t *testing.T) {
	client, server := tcpPair(t)
	defer client.Close()
	defer server.Close()
	for name, wrap := range wrappers {
		if raw := newRawWriter(wrap(client)); raw != nil && name != "bare" {
			t.Errorf("%s: written past the wrapper", name)
		}
	}
}
