// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver_test

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
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

// Descriptors that have run out, which strangers can see to, are told of once in a
// second, however often accepting fails meanwhile.
func TestShortagesCannotFillTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logs := &logKeeper{}
		s, err := zkserver.New(zkserver.Options{Logger: slog.New(logs)})
		if err != nil {
			t.Fatal(err)
		}
		l := &failingListener{newPipeListener(), nil}
		for range 500 {
			l.errs = append(l.errs, syscall.EMFILE)
		}
		l.errs = append(l.errs, syscall.EBADF)
		begun := time.Now()
		if err := s.Serve(t.Context(), l); err == nil {
			t.Error("got nil, want why nothing is accepted")
		}
		s.Close()
		if n, most := len(logs.with("accept failed")), 1+int(time.Since(begun)/time.Second); n == 0 || n > most {
			t.Errorf("%d lines for 500 failures in %v, want 1 to %d", n, time.Since(begun), most)
		}
	})
}

// Neither does a client fill it by going beyond any number of quotas.
func TestQuotasCannotFillTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logs := &logKeeper{}
		servePipes(t, zkserver.Options{Logger: slog.New(logs)}, func(t *testing.T, _ *zkserver.Server, l *pipeListener) {
			c := l.open(t, 10*time.Second)
			for i := range 100 {
				top := fmt.Sprintf("/q%d", i)
				c.create(top, 0)
				for _, path := range []string{"", "/zookeeper_limits", "/zookeeper_stats"} {
					node := newNode("/zookeeper/quota"+top+path, 0)
					node.Data = []byte("count=1,bytes=-1")
					c.must(jute.OpCreate, node, nil)
				}
				c.create(top+"/n", 0)
			}
			if n := len(logs.with("quota exceeded")); n != 1 { // in no time
				t.Errorf("%d lines for 100 quotas, want 1", n)
			}
			c.nc.Close()
		})
	})
}
