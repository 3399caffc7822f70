// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zk_test

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-rpc/rollcall/zk"
)

// lines counts what a log was told, by level and message.
type lines struct {
	mu   sync.Mutex // guards what follows
	seen map[string]int
	last map[string]string // the attributes of the last line
}

func (l *lines) Enabled(context.Context, slog.Level) bool { return true }
func (l *lines) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *lines) WithGroup(string) slog.Handler            { return l }

func (l *lines) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.seen == nil {
		l.seen, l.last = map[string]int{}, map[string]string{}
	}
	key := r.Level.String() + " " + r.Message
	l.seen[key]++
	var attrs strings.Builder
	r.Attrs(func(a slog.Attr) bool {
		attrs.WriteString(a.String() + " ")
		return true
	})
	l.last[key] = attrs.String()
	return nil
}

func (l *lines) count(key string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seen[key]
}

// Servers that do not answer are told once for each outage, when all have been
// tried, with their names and the reason; the attempts are details.
func TestOutageIsLoggedOnce(t *testing.T) {
	const refused, detail = "INFO zookeeper does not answer, trying on", "DEBUG zookeeper does not answer, trying on"
	inBubble(t, func(t *testing.T, f *fake) {
		var log lines
		f.setDown("a:1", "b:1")
		c := f.client(zk.Options{Logger: slog.New(&log)}, "a:1", "b:1")
		time.Sleep(time.Hour)
		if got := log.count(refused); got != 1 {
			t.Errorf("%d lines in an hour, want 1", got)
		}
		if got := log.count(detail); got < 100 {
			t.Errorf("%d details in an hour, want one for each attempt", got)
		}
		attrs := log.last[refused]
		for _, want := range []string{"servers=a:1,b:1", "error=", "connection refused"} {
			if !strings.Contains(attrs, want) {
				t.Errorf("the line does not say %q: %s", want, attrs)
			}
		}
		f.setDown()
		p, _ := f.session(1, time.Minute)
		await(t, c, "connected", isConnected)
		if got, want := log.last["INFO zookeeper connected"], "session_id=0x1 timeout=1m0s new=true"; !strings.Contains(got, want) {
			t.Errorf("got %q, want a line with %q", got, want)
		}
		f.setDown("a:1", "b:1")
		p.Close()
		await(t, c, "down", isDown)
		time.Sleep(time.Second)
		synctest.Wait()
		if got := log.count("INFO zookeeper connection lost"); got != 1 {
			t.Errorf("%d lines for a lost connection, want 1", got)
		}
		time.Sleep(time.Hour)
		if got := log.count(refused); got != 2 {
			t.Errorf("%d lines after the second outage, want 2", got)
		}
	})
}

// One server of several that is down is a detail.
func TestOneServerDownIsNoNews(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fake) {
		var log lines
		f.setDown("a:1")
		c := f.client(zk.Options{Logger: slog.New(&log), Rand: func() float64 { return 0 }}, "b:1", "a:1")
		f.session(1, time.Minute)
		await(t, c, "connected", isConnected)
		if got := log.count("INFO zookeeper does not answer, trying on"); got != 0 {
			t.Errorf("%d lines, want none", got)
		}
	})
}
