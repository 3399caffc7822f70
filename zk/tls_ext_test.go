// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zk_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall/internal/testca"
	"github.com/rollcall-rpc/rollcall/internal/tlsfront"
	"github.com/rollcall-rpc/rollcall/zk"
	"github.com/rollcall-rpc/rollcall/zk/zktest"
)

// certificate returns one of the authority for a name.
func certificate(ca *testca.CA, name string) []tls.Certificate {
	return []tls.Certificate{ca.Issue(testca.Leaf{Names: []string{name}}).TLS()}
}

// openTLS opens a client that tries again soon.
func openTLS(t *testing.T, addr string, opts zk.Options) *zk.Client {
	t.Helper()
	opts.BackoffMax = 50 * time.Millisecond
	c, err := zk.New([]string{addr}, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// TestTLS: a session over TLS is as one without, across a cut and an expiry too.
// The name that is asked for is the host that is dialled.
func TestTLS(t *testing.T) {
	for _, s := range servers {
		t.Run(s.name, func(t *testing.T) {
			checkLeaks(t)
			backend := s.start(t)
			ca := testca.New("registry")
			front := tlsfront.Start(t, backend.Addr(), &tls.Config{Certificates: certificate(ca, "127.0.0.1")})
			config := &tls.Config{RootCAs: ca.Pool()}
			c := openTLS(t, front.Addr(), zk.Options{TLS: config, Auths: []zk.Auth{{Scheme: "digest", Data: []byte("ann:x")}}})
			ctx := testContext(t)
			if _, err := c.Create(ctx, "/tls", []byte("a"), zk.ModePersistent, zk.CreatorAll()); err != nil {
				t.Fatal(err)
			}
			w, err := c.AddWatch(ctx, "/tls", zk.Persistent)
			if err != nil {
				t.Fatal(err)
			}
			large := []byte(strings.Repeat("x", 500_000)) // many records of TLS
			if _, err := c.Set(ctx, "/tls", large, zk.AnyVersion); err != nil {
				t.Fatal(err)
			}
			if ev := <-w.Events(); ev.Type != zk.NodeDataChanged {
				t.Errorf("got event %+v, want the change", ev)
			}
			id := c.Session().ID
			front.Cut()
			for ev := range w.Events() {
				if ev.Type == zk.Rearmed {
					break
				}
			}
			data, _, err := c.Get(ctx, "/tls")
			if err != nil || len(data) != len(large) || c.Session().ID != id {
				t.Errorf("after the cut: got %d bytes, %v in session %#x, want all in %#x", len(data), err, c.Session().ID, id)
			}
			if config.ServerName != "" {
				t.Errorf("the caller's configuration has now the name %q", config.ServerName)
			}
			if _, err := openTLS(t, front.Addr(), zk.Options{TLS: config}).Create(ctx, "/tls/none", nil, zk.ModePersistent, nil); !errors.Is(err, zk.ErrNoAuth) {
				t.Errorf("a client without the identity: got %v, want ErrNoAuth", err)
			}
		})
	}
}

// TestTLSServerName: a name that is given counts instead of the host.
func TestTLSServerName(t *testing.T) {
	ca := testca.New("registry")
	front := tlsfront.Start(t, zktest.Start(t).Addr(), &tls.Config{Certificates: certificate(ca, "registry.test")})
	if err := openTLS(t, front.Addr(), zk.Options{TLS: &tls.Config{RootCAs: ca.Pool(), ServerName: "registry.test"}}).Connected(testContext(t)); err != nil {
		t.Error(err)
	}
	c := openTLS(t, front.Addr(), zk.Options{TLS: &tls.Config{RootCAs: ca.Pool()}})
	var wrong x509.HostnameError
	if err := lastError(t, c); !errors.As(err, &wrong) {
		t.Errorf("without the name: got %v, want a *x509.HostnameError", err)
	}
}

// TestTLSClientCertificate: servers that want one get it.
func TestTLSClientCertificate(t *testing.T) {
	ca := testca.New("registry")
	front := tlsfront.Start(t, zktest.Start(t).Addr(), &tls.Config{
		Certificates: certificate(ca, "127.0.0.1"), ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca.Pool(),
	})
	config := &tls.Config{RootCAs: ca.Pool(), Certificates: certificate(ca, "client.test")}
	if err := openTLS(t, front.Addr(), zk.Options{TLS: config}).Connected(testContext(t)); err != nil {
		t.Error(err)
	}
	err := lastError(t, openTLS(t, front.Addr(), zk.Options{TLS: &tls.Config{RootCAs: ca.Pool()}}))
	if !strings.Contains(err.Error(), "certificate required") || strings.Contains(err.Error(), "without answering") {
		t.Errorf("without a certificate: got %v, want what TLS says of it", err)
	}
}

// lastError returns why a client has no connection.
func lastError(t *testing.T, c *zk.Client) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	for {
		changed := c.Changed()
		if s := c.Session(); s.LastErr != nil {
			return s.LastErr
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("got %+v, want an error", c.Session())
		}
	}
}

// TestTLSRefused: what is wrong is said with what to do about it.
func TestTLSRefused(t *testing.T) {
	ca, backend := testca.New("registry"), zktest.Start(t)
	front := tlsfront.Start(t, backend.Addr(), &tls.Config{Certificates: certificate(ca, "127.0.0.1")})
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	var unknown x509.UnknownAuthorityError
	tests := []struct {
		what, addr string
		opts       zk.Options
		want       string
		is         any
	}{
		{"another authority", front.Addr(), zk.Options{TLS: &tls.Config{RootCAs: testca.New("other").Pool()}}, "zk: TLS", &unknown},
		{"no TLS there", backend.Addr(), zk.Options{TLS: &tls.Config{RootCAs: ca.Pool()}}, "give its port for TLS", nil},
		{"TLS alone there", front.Addr(), zk.Options{}, "use TLS then", nil},
		{"silence", silent.Addr().String(), zk.Options{TLS: &tls.Config{RootCAs: ca.Pool()}, ConnectTimeout: 50 * time.Millisecond}, "within 50ms", nil},
	}
	for _, tt := range tests {
		t.Run(tt.what, func(t *testing.T) {
			checkLeaks(t)
			err := lastError(t, openTLS(t, tt.addr, tt.opts))
			if !strings.Contains(err.Error(), tt.want) || tt.is != nil && !errors.As(err, tt.is) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}
