// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/discovery/zookeeper"
	"github.com/rollcall-rpc/rollcall/zk"
	"github.com/rollcall-rpc/rollcall/zk/zktest"
)

// logLines is a log that tests read and wait for.
type logLines struct {
	mu      sync.Mutex // guards what follows
	lines   []string
	changed chan struct{} // closed at the next line; nil: nobody waits
}

// logger writes to the log, details included.
func (l *logLines) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func (l *logLines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, string(b))
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
	return len(b), nil
}

// with returns the lines that hold every part, and what is closed at the next.
func (l *logLines) with(parts ...string) (found []string, changed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.lines {
		missing := false
		for _, part := range parts {
			missing = missing || !strings.Contains(line, part)
		}
		if !missing {
			found = append(found, line)
		}
	}
	if l.changed == nil {
		l.changed = make(chan struct{})
	}
	return found, l.changed
}

// await waits for n lines that hold every part.
func (l *logLines) await(t testing.TB, n int, parts ...string) {
	t.Helper()
	ctx := within(t)
	for {
		found, changed := l.with(parts...)
		if len(found) >= n {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("%d lines with %q, want %d, in:\n%s", len(found), parts, n, strings.Join(l.lines, ""))
		}
	}
}

// once demands one line that holds every part.
func (l *logLines) once(t testing.TB, parts ...string) {
	t.Helper()
	if found, _ := l.with(parts...); len(found) != 1 {
		t.Errorf("%d lines with %q, want 1:\n%s", len(found), parts, strings.Join(found, ""))
	}
}

// silences are the ways of a registry not to answer, and what the logs say.
var silences = []struct {
	name    string
	silence func(*zktest.Server) (end func())
	reason  string
}{
	{"nothing listens", func(s *zktest.Server) func() { s.Stop(); return s.Restart }, "refused"},
	{"accepts and says nothing", (*zktest.Server).Hold, "no answer"},
	{"accepts and closes", (*zktest.Server).Refuse, "without answering the handshake"},
}

// A registry that does not answer keeps nobody from starting. Server and client
// say once, not per attempt, what they wait for and why; a call's error says so,
// too; and all is well when the registry comes.
func TestRegistryThatDoesNotAnswer(t *testing.T) {
	for _, tt := range silences {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			registry := zktest.Start(t)
			target := registry.Target("/rpc")
			end := tt.silence(registry)
			var serverLog, clientLog logLines
			s := start(t, "", rollcall.ServerOptions{Registry: target, Logger: serverLog.logger()}, func(s *rollcall.Server) {
				rollcall.Handle(s, divide, divideOn("a"))
			})
			c, err := rollcall.NewClient(target, meeting.client(rollcall.ClientOptions{
				Logger: clientLog.logger(), ZooKeeper: zookeeper.Options{SessionTimeout: time.Second}, // a session of its own
			}))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()

			if _, err := divide.Call(within(t), staticClient(t, s.addr), &fraction{Num2: 1}); err != nil {
				t.Errorf("the server does not serve: %v", err)
			}
			_, err = divide.Call(within(t), c, &fraction{Num2: 1})
			var e *rollcall.Error
			if !errors.As(err, &e) || e.Code != rollcall.CodeUnavailable || e.Reason != rollcall.ReasonRegistryUnreachable || e.Executed != rollcall.ExecutedNo {
				t.Errorf("got %v, want Unavailable REGISTRY_UNREACHABLE, not executed", err)
			}
			if !strings.Contains(err.Error(), target) || !strings.Contains(err.Error(), "no list of instances yet") {
				t.Errorf("the error does not say that %s does not answer: %v", target, err)
			}
			soon, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			defer cancel()
			if err := c.Ready(soon); err == nil || !strings.Contains(err.Error(), target) {
				t.Errorf("Ready: got %v, want an error that names %s", err, target)
			}

			serverLog.await(t, 1, "level=WARN", "not in the list yet", target)
			clientLog.await(t, 1, "level=WARN", "waiting for the first list", target)
			for _, log := range []*logLines{&serverLog, &clientLog} {
				log.await(t, 2, "level=DEBUG", "zookeeper does not answer", registry.Addr(), tt.reason)
				log.once(t, "level=INFO", "zookeeper does not answer, trying on", registry.Addr(), tt.reason)
				log.once(t, "level=WARN")
			}

			end()
			if _, err := s.Registered(within(t)); err != nil {
				t.Errorf("the server is not listed when the registry is back: %v", err)
			}
			if _, err := divide.CallWith(within(t), c, &fraction{Num2: 1}, rollcall.CallOptions{WaitForReady: true}); err != nil {
				t.Errorf("the client does not call when the registry is back: %v", err)
			}
			clientLog.once(t, "level=INFO", "the registry answers", target)
			serverLog.once(t, "level=INFO", "registered", "server0000000000")
		})
	}
}

// A registry that stops answering later costs no call, is told once, and so is
// its return.
func TestRegistryThatStopsAnswering(t *testing.T) {
	registry := zktest.Start(t)
	target := registry.Target("/rpc")
	var log logLines
	s := start(t, "", rollcall.ServerOptions{Registry: target}, func(s *rollcall.Server) {
		rollcall.Handle(s, divide, divideOn("a"))
	})
	if _, err := s.Registered(within(t)); err != nil {
		t.Fatal(err)
	}
	c, err := rollcall.NewClient(target, meeting.client(rollcall.ClientOptions{Logger: log.logger(), ZooKeeper: zookeeper.Options{SessionTimeout: time.Second}}))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Ready(within(t)); err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		registry.Stop()
		await(t, c, "a stale list", func() bool { return c.Snapshot().Source == discovery.SourceStale })
		log.await(t, i+1, "level=WARN", "calling from the last list", target, "instances=1")
		if _, err := divide.Call(within(t), c, &fraction{Num2: 1}); err != nil {
			t.Errorf("a call without the registry: %v", err)
		}
		log.await(t, i+1, "level=INFO", "zookeeper connection lost")
		log.await(t, i+1, "level=INFO", "zookeeper does not answer, trying on", "refused")
		registry.Restart()
		await(t, c, "a live list", func() bool { return c.Snapshot().Source == discovery.SourceLive })
		log.await(t, i+1, "level=INFO", "the registry answers", target)
		if lines, _ := log.with("level=WARN"); len(lines) != i+1 {
			t.Errorf("%d warnings after %d outages:\n%s", len(lines), i+1, strings.Join(lines, ""))
		}
	}
}

// A registry whose directory may not be read or written says why.
func TestRegistryThatForbids(t *testing.T) {
	const why = "not permitted by the node's ACL"
	registry := zktest.Start(t)
	target := registry.Target("/rpc")
	owner, err := zk.New([]string{registry.Addr()}, zk.Options{Auths: []zk.Auth{{Scheme: "digest", Data: []byte("ann:x")}}})
	if err != nil {
		t.Fatal(err)
	}
	defer owner.Close()
	if _, err := owner.Create(within(t), "/rpc", nil, zk.ModePersistent, zk.CreatorAll()); err != nil {
		t.Fatal(err)
	}
	var log logLines
	s := start(t, "", rollcall.ServerOptions{Registry: target, Logger: log.logger()}, func(*rollcall.Server) {})
	log.await(t, 1, "level=WARN", "not in the list yet", target, why)
	c, err := rollcall.NewClient(target, meeting.client(rollcall.ClientOptions{}))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, err = divide.Call(within(t), c, &fraction{Num2: 1})
	if !errors.Is(err, zk.ErrNoAuth) || !strings.Contains(err.Error(), target) || !strings.Contains(err.Error(), why) {
		t.Errorf("got %v, want an error that names the target and says %q", err, why)
	}
	if _, err := owner.SetACL(within(t), "/rpc", zk.WorldAnyone(), zk.AnyVersion); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Registered(within(t)); err != nil {
		t.Errorf("the server is not listed when it may: %v", err)
	}
	log.once(t, "level=WARN")
}
