// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package tlsfiles_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/rollcall-rpc/rollcall/internal/memnet"
	"github.com/rollcall-rpc/rollcall/internal/testca"
	"github.com/rollcall-rpc/rollcall/tlsfiles"
)

const host = "divide.test"

// A log collects what is logged.
type log struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *log) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// take returns the lines since the last take.
func (l *log) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := strings.FieldsFunc(l.buf.String(), func(r rune) bool { return r == '\n' })
	l.buf.Reset()
	return lines
}

// want ends the test unless there is a line for each set of parts, with all of
// them, and no other line.
func (l *log) want(t *testing.T, lines ...[]string) {
	t.Helper()
	got := l.take()
	if len(got) != len(lines) {
		t.Fatalf("%d lines were logged, want %d: %q", len(got), len(lines), got)
	}
	for i, parts := range lines {
		for _, part := range parts {
			if !strings.Contains(got[i], part) {
				t.Fatalf("the log has %q, want it to have %q", got[i], part)
			}
		}
	}
}

// A link is an established connection.
type link struct {
	client, server *tls.Conn
}

// echo sends a byte each way.
func (l *link) echo() error {
	failed := make(chan error, 1)
	go func() {
		var b [1]byte
		_, err := io.ReadFull(l.server, b[:])
		if err == nil {
			_, err = l.server.Write(b[:])
		}
		failed <- err
	}()
	_, err := l.client.Write([]byte("x"))
	if err == nil {
		var b [1]byte
		_, err = io.ReadFull(l.client, b[:])
	}
	if err != nil {
		l.server.NetConn().Close()
	}
	return errors.Join(err, <-failed)
}

// serial returns the serial number of the certificate that the server showed.
func (l *link) serial() string {
	return l.client.ConnectionState().PeerCertificates[0].SerialNumber.String()
}

// connect makes a connection in memory. The error is what either end said.
func connect(t *testing.T, server, client *tls.Config) (*link, error) {
	t.Helper()
	a, b := memnet.Pipe()
	t.Cleanup(func() { a.Close(); b.Close() })
	l := &link{client: tls.Client(a, client), server: tls.Server(b, server)}
	failed := make(chan error, 1)
	go func() {
		err := l.server.HandshakeContext(t.Context())
		if err != nil {
			b.Close()
		}
		failed <- err
	}()
	err := l.client.HandshakeContext(t.Context())
	if err != nil {
		a.Close()
	}
	if err = errors.Join(err, <-failed); err != nil {
		return nil, err
	}
	return l, l.echo()
}

// mustConnect is connect that ends the test where there is no connection.
func mustConnect(t *testing.T, server, client *tls.Config) *link {
	t.Helper()
	l, err := connect(t, server, client)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// refused ends the test unless connecting fails for the reason.
func refused(t *testing.T, server, client *tls.Config, reason string) {
	t.Helper()
	_, err := connect(t, server, client)
	if err == nil || !strings.Contains(err.Error(), reason) {
		t.Fatalf("connecting: %v, want it refused with %q", err, reason)
	}
}

func named(names ...string) testca.Leaf { return testca.Leaf{Names: names} }

// files returns Files with a new certificate of ca, and ca as the authority.
func files(t *testing.T, ca *testca.CA, leaf testca.Leaf) (tlsfiles.Files, *log) {
	t.Helper()
	dir, l := t.TempDir(), &log{}
	cert, key := ca.Issue(leaf).Write(dir, "own")
	return tlsfiles.Files{Cert: cert, Key: key, CA: ca.Write(dir, "ca"), Logger: l.logger()}, l
}

// rotate gives the files a new certificate of ca.
func rotate(f tlsfiles.Files, ca *testca.CA, leaf testca.Leaf) *testca.Pair {
	pair := ca.Issue(leaf)
	testca.WriteFile(f.Key, pair.KeyPEM)
	testca.WriteFile(f.Cert, pair.CertPEM)
	return pair
}

// serverOf and clientOf return the configs of files that must be good.
func serverOf(t *testing.T, f tlsfiles.Files) *tls.Config {
	t.Helper()
	config, err := f.Server()
	if err != nil {
		t.Fatal(err)
	}
	return config
}

func clientOf(t *testing.T, f tlsfiles.Files) *tls.Config {
	t.Helper()
	config, err := f.Client()
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// plainServer and plainClient are configs of crypto/tls alone.
func plainServer(pair *testca.Pair) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{pair.TLS()}}
}

func plainClient(ca *testca.CA, pairs ...*testca.Pair) *tls.Config {
	config := &tls.Config{RootCAs: ca.Pool(), ServerName: host}
	for _, pair := range pairs {
		config.Certificates = append(config.Certificates, pair.TLS())
	}
	return config
}
