// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver_test

import (
	"context"
	"log/slog"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zkserver"
)

// A logKeeper keeps what is logged.
type logKeeper struct {
	mu      sync.Mutex // guards what follows
	records []slog.Record
}

func (k *logKeeper) Enabled(context.Context, slog.Level) bool { return true }
func (k *logKeeper) WithAttrs([]slog.Attr) slog.Handler       { return k }
func (k *logKeeper) WithGroup(string) slog.Handler            { return k }

func (k *logKeeper) Handle(_ context.Context, r slog.Record) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.records = append(k.records, r)
	return nil
}

func (k *logKeeper) with(message string) (found []slog.Record) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, r := range k.records {
		if strings.Contains(r.Message, message) {
			found = append(found, r)
		}
	}
	return found
}

// What is logged has an address as text under "address", what went wrong under
// "error", and nothing that a handler would have to take apart.
func TestLogAttributes(t *testing.T) {
	logs := &logKeeper{}
	_, addr := startServer(t, zkserver.Options{Logger: slog.New(logs), MaxPacketBytes: 1000, DataDir: t.TempDir()})
	ahead := dialRaw(t, addr)
	ahead.write(connectFrame(jute.ConnectRequest{LastZxidSeen: math.MaxInt64}))
	ahead.wantEOF()
	bad := dialRaw(t, addr)
	bad.write([]byte{0, 0, 0, 2, 1, 2})
	bad.wantEOF()
	large := open(t, addr, 10*time.Second)
	large.write([]byte{0, 0, 9, 0})
	large.wantEOF()
	_, addr = startServer(t, zkserver.Options{Logger: slog.New(logs), MaxConnections: 1})
	open(t, addr, 10*time.Second)
	dialRaw(t, addr).wantEOF()
	for message, keys := range map[string]string{
		"client has seen a later state": "address client_zxid zxid",
		"handshake refused":             "address error",
		"closing a connection":          "address error",
		"a limit is reached":            "limit address",
		"data loaded":                   "dir znodes sessions zxid took",
		"snapshot written":              "znodes took",
	} {
		waitFor(t, "line with "+message, func() bool { return len(logs.with(message)) > 0 })
		var got []string
		logs.with(message)[0].Attrs(func(a slog.Attr) bool {
			got = append(got, a.Key)
			_, isError := a.Value.Any().(error)
			if a.Value.Kind() == slog.KindAny && (!isError || a.Key != "error") {
				t.Errorf("%s: %s is a %T, want text or a number", message, a.Key, a.Value.Any())
			}
			if strings.Contains(a.Key, "zxid") && !strings.HasPrefix(a.Value.String(), "0x") {
				t.Errorf("%s: %s=%v, want 0x…", message, a.Key, a.Value)
			}
			return true
		})
		if strings.Join(got, " ") != keys {
			t.Errorf("%s: got keys %q, want %s", message, got, keys)
		}
	}
}

// What clients and strangers can cause is told of once in a second.
func TestClientsCannotFillTheLog(t *testing.T) {
	logs := &logKeeper{}
	begun := time.Now()
	_, addr := startServer(t, zkserver.Options{Logger: slog.New(logs)})
	_, full := startServer(t, zkserver.Options{Logger: slog.New(logs), MaxConnections: 1})
	open(t, full, 10*time.Second)
	for range 50 {
		ahead := dialRaw(t, addr)
		ahead.write(connectFrame(jute.ConnectRequest{LastZxidSeen: math.MaxInt64}))
		ahead.wantEOF()
		dialRaw(t, full).wantEOF()
	}
	most := 1 + int(time.Since(begun)/time.Second)
	for _, message := range []string{"client has seen a later state", "a limit is reached"} {
		if n := len(logs.with(message)); n == 0 || n > most {
			t.Errorf("%d lines of %q, want 1 to %d", n, message, most)
		}
	}
}
