// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package auth_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rollcall-rpc/rollcall"
)

// overTLS is what is known of a connection whose client shows no certificate.
func overTLS() *tls.ConnectionState { return &tls.ConnectionState{HandshakeComplete: true} }

// withAuthorization is a call over TLS that carries the metadata.
func withAuthorization(value string) *rollcall.CallInfo {
	return &rollcall.CallInfo{
		Method:   "Divide/Divide",
		Metadata: rollcall.Metadata{"authorization": value},
		Peer:     rollcall.Peer{TLS: overTLS()},
	}
}

// wantIn fails the test where the call is not let in as that identity.
func wantIn(t *testing.T, admit rollcall.Admission, call *rollcall.CallInfo, identity string) {
	t.Helper()
	if _, err := admit(t.Context(), call); err != nil || call.Peer.Identity != identity {
		t.Errorf("got %q, %v, want to be let in as %q", call.Peer.Identity, err, identity)
	}
}

// wantOut fails the test where the call is not refused so.
func wantOut(t *testing.T, admit rollcall.Admission, call *rollcall.CallInfo, code rollcall.Code, reason string, says ...string) {
	t.Helper()
	_, err := admit(t.Context(), call)
	wantError(t, err, code, reason, says...)
	if call.Peer.Identity != "" {
		t.Errorf("a refused call has the identity %q", call.Peer.Identity)
	}
}

func wantError(t *testing.T, err error, code rollcall.Code, reason string, says ...string) {
	t.Helper()
	e, ok := errors.AsType[*rollcall.Error](err)
	if !ok || e.Code != code || e.Reason != reason {
		t.Errorf("got %v, want %v %s", err, code, reason)
		return
	}
	wantText(t, err, says...)
}

func wantText(t *testing.T, err error, says ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, want one with %q", says)
		return
	}
	for _, s := range says {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("got %q, want %q in it", err, s)
		}
	}
}

// newFile returns the path of a new file with the content, for its owner alone.
func newFile(t testing.TB, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, content)
	return path
}

func write(t testing.TB, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// logged takes the place of slog.Default until the test ends.
func logged(t *testing.T) *lines {
	t.Helper()
	before, l := slog.Default(), new(lines)
	slog.SetDefault(slog.New(slog.NewTextHandler(l, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	return l
}

// lines are what was logged, from any goroutine.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), text)
}

// verifyFor returns a verifier that knows one token.
func verifyFor(token, identity string) func(context.Context, string) (string, error) {
	return func(_ context.Context, got string) (string, error) {
		if got != token {
			return "", errors.New("never seen")
		}
		return identity, nil
	}
}
