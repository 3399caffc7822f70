// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package tlsfront_test

import (
	"crypto/tls"
	"io"
	"net"
	"testing"

	"github.com/rollcall-rpc/rollcall/internal/testca"
	"github.com/rollcall-rpc/rollcall/internal/tlsfront"
)

// TestFront: what is said through TLS comes to the server and back, until it is cut.
func TestFront(t *testing.T) {
	echo, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer echo.Close()
	go func() {
		conn, err := echo.Accept()
		if err != nil {
			return
		}
		io.Copy(conn, conn) //nolint:errcheck // until it is cut
		conn.Close()
	}()
	ca := testca.New("registry")
	front := tlsfront.Start(t, echo.Addr().String(), &tls.Config{Certificates: []tls.Certificate{ca.Issue(testca.Leaf{Names: []string{"127.0.0.1"}}).TLS()}})
	conn, err := tls.Dial("tcp", front.Addr(), &tls.Config{RootCAs: ca.Pool()})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "word"); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 4)
	if _, err := io.ReadFull(conn, b); err != nil || string(b) != "word" {
		t.Fatalf("got %q, %v, want word", b, err)
	}
	front.Cut()
	if n, err := conn.Read(b); err == nil {
		t.Errorf("got %d bytes after the cut, want an error", n)
	}
}
