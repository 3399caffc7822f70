// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// echoServer answers with what it gets, byte by byte, until the test ends.
func echoServer(t *testing.T, listener net.Listener) {
	t.Helper()
	served := make(chan struct{})
	go func() {
		defer close(served)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				io.Copy(conn, conn) //nolint:errcheck // it ends with the connection
			}()
		}
	}()
	t.Cleanup(func() {
		listener.Close()
		<-served
	})
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", loopback+":0")
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// say sends a byte, hear expects it.
func say(t *testing.T, conn net.Conn, b byte) {
	t.Helper()
	if _, err := conn.Write([]byte{b}); err != nil {
		t.Fatal(err)
	}
}

func hear(t *testing.T, conn net.Conn, b byte) {
	t.Helper()
	var got [1]byte
	if _, err := io.ReadFull(conn, got[:]); err != nil || got[0] != b {
		t.Fatalf("got %q, %v; want %q", got, err, b)
	}
}

// silent expects that nothing comes for a while.
func silent(t *testing.T, conn net.Conn) {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := conn.Read(make([]byte, 1)); n > 0 || !isTimeout(err) {
		t.Fatalf("got %d bytes, %v; want nothing", n, err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}

func testProxy(t *testing.T) *proxy {
	t.Helper()
	listener := listen(t)
	echoServer(t, listener)
	p, err := newProxy(loopback, listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	return p
}

// What is held is neither lost nor told; new connections stay silent too.
func TestProxyHolds(t *testing.T) {
	for name, d := range map[string]direction{"requests": requests, "replies": replies, "both": requests | replies} {
		t.Run(name, func(t *testing.T) {
			p := testProxy(t)
			conn := dial(t, p.addr())
			say(t, conn, 'a')
			hear(t, conn, 'a')
			p.hold(d)
			say(t, conn, 'b')
			late := dial(t, p.addr())
			say(t, late, 'c')
			silent(t, conn)
			silent(t, late)
			p.hold(0)
			hear(t, conn, 'b')
			hear(t, late, 'c')
		})
	}
}

func TestProxyResets(t *testing.T) {
	p := testProxy(t)
	conn := dial(t, p.addr())
	say(t, conn, 'a')
	hear(t, conn, 'a')
	p.reset()
	if _, err := conn.Read(make([]byte, 1)); err == nil || isTimeout(err) || errors.Is(err, io.EOF) {
		t.Errorf("got %v, want a reset", err)
	}
	conn = dial(t, p.addr())
	say(t, conn, 'b')
	hear(t, conn, 'b')
}

// A server that is not there resets the client, and a proxy that holds closes.
func TestProxyEnds(t *testing.T) {
	listener := listen(t)
	p, err := newProxy(loopback, listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	if conn, err := net.Dial("tcp", p.addr()); err == nil { // else it was reset already
		defer conn.Close()
		if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, 1)); err == nil || isTimeout(err) {
			t.Errorf("without a server: got %v, want a reset", err)
		}
	}
	p.hold(requests)
	say(t, dial(t, p.addr()), 'a')
	p.close()
}

// The end of one side reaches the other.
func TestProxyPassesEnd(t *testing.T) {
	conn := dial(t, testProxy(t).addr())
	say(t, conn, 'a')
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(conn); err != nil || string(got) != "a" {
		t.Errorf("got %q, %v; want the byte and the end", got, err)
	}
}
