// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall/frame"
)

// testTLS returns the configurations of a client and a server that know each other.
func testTLS(t *testing.T) (client, server *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"server"},
		NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true, IsCA: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	return &tls.Config{RootCAs: roots, ServerName: "server", MinVersion: tls.VersionTLS13},
		&tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS13}
}

// socketModes runs a test over sockets and what may lie around them. The ends are
// wrapped as a user of this package would have them.
func socketModes(t *testing.T, test func(t *testing.T, client, server func(net.Conn) net.Conn)) {
	same := func(c net.Conn) net.Conn { return c }
	t.Run("plain", func(t *testing.T) {
		t.Parallel()
		test(t, same, same)
	})
	t.Run("TLS", func(t *testing.T) {
		t.Parallel()
		client, server := testTLS(t)
		test(t, func(c net.Conn) net.Conn { return tls.Client(c, client) }, func(c net.Conn) net.Conn { return tls.Server(c, server) })
	})
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		test(t, func(c net.Conn) net.Conn { return embedding{c} }, same)
	})
}

// slowly connects two sockets through a link that brings 1 MB in a second to the
// server and holds little on the way.
func slowly(t *testing.T) (client, server net.Conn) {
	t.Helper()
	client, in := tcpPair(t)
	out, server := tcpPair(t)
	if err := in.(*net.TCPConn).SetReadBuffer(64 << 10); err != nil {
		t.Fatal(err)
	}
	const step, bytesPerStep = 5 * time.Millisecond, 5_000
	var wg sync.WaitGroup
	wg.Go(func() {
		defer out.Close()
		ticker := time.NewTicker(step)
		defer ticker.Stop()
		buf := make([]byte, bytesPerStep)
		for range ticker.C {
			n, err := in.Read(buf)
			if err == nil {
				_, err = out.Write(buf[:n])
			}
			if err != nil {
				return
			}
		}
	})
	wg.Go(func() {
		defer in.Close()
		io.Copy(in, out) //nolint:errcheck // until the other end is gone
	})
	t.Cleanup(wg.Wait)
	return client, server
}

// A large request on a slow link succeeds over whatever lies around the socket, and
// the calls beside it do as well.
func TestSlowLinkOverSockets(t *testing.T) {
	socketModes(t, func(t *testing.T, client, server func(net.Conn) net.Conn) {
		slowClient, slowServer := slowly(t)
		handler := func(context.Context, *ServerRequest) (Reply, error) { return Reply{}, nil }
		slow := newRig(t, client(slowClient), server(slowServer), ClientOptions{}, ServerOptions{Handler: handler})
		a, b := tcpPair(t)
		beside := newRig(t, client(a), server(b), ClientOptions{}, ServerOptions{Handler: handler})
		large := make(chan error, 1)
		go func() {
			_, err := slow.client.Call(t.Context(), &Request{Method: "M", Body: make([]byte, 3<<20)})
			large <- err
		}()
		start := time.Now()
		for n := 0; ; n++ {
			select {
			case err := <-large:
				if d := time.Since(start); err != nil || d < 2*time.Second || n == 0 {
					t.Errorf("after %v, and %d calls beside it: %v", d, n, err)
				}
				return
			case <-time.After(20 * time.Millisecond):
			}
			if _, err := beside.client.Call(t.Context(), &Request{Method: "M"}); err != nil {
				t.Fatalf("a small call beside it: %v", err)
			}
		}
	})
}

// A server that hangs is found by its silence, over whatever lies around the socket,
// also where a request that it never reads fills the sockets.
func TestHungServerOverSockets(t *testing.T) {
	for name, size := range map[string]int{"small": 10, "large": 4 << 20} {
		t.Run(name, func(t *testing.T) {
			socketModes(t, func(t *testing.T, client, server func(net.Conn) net.Conn) {
				a, b := tcpPair(t)
				clientEnd, serverEnd := client(a), server(b)
				if _, embedded := clientEnd.(embedding); embedded && size > 10 {
					a.Close()
					b.Close()
					return
				}
				c := NewClientConn(clientEnd, ClientOptions{})
				defer c.Close()
				defer serverEnd.Close()
				p := &peer{t, serverEnd}
				p.preface() // the last that the server reads
				p.send(frame.AppendServerPreface(nil, *ok))
				if err := c.Handshake(t.Context()); err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				_, err := c.Call(t.Context(), &Request{Method: "M", Body: make([]byte, size)})
				wantCallError(t, err, frame.ExecutedMaybe, 0, ErrKeepalive)
				// A machine that is short of CPU takes longer.
				if d := time.Since(start); d < 800*time.Millisecond || d > 3*time.Second {
					t.Errorf("given up after %v, want about 900 ms", d)
				}
			})
		})
	}
}
