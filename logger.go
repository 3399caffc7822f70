// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"log/slog"
	"sync"
	"time"

	"github.com/rollcall-rpc/rollcall/discovery"
)

// logEvery is the least time between two lines about strangers' connections.
const logEvery = time.Second

// A rateLimitedLog writes at most one line per second and counts what it left
// out: strangers must not fill the disk.
type rateLimitedLog struct {
	logger *slog.Logger

	mu      sync.Mutex // guards what follows
	last    time.Time
	skipped int
}

func (l *rateLimitedLog) warn(msg string, args ...any) {
	l.mu.Lock()
	now := time.Now()
	if !l.last.IsZero() && now.Sub(l.last) < logEvery {
		l.skipped++
		l.mu.Unlock()
		return
	}
	if l.skipped > 0 {
		args = append(args, "left_out_before", l.skipped)
	}
	l.last, l.skipped = now, 0
	l.mu.Unlock()
	l.logger.Warn(msg, args...)
}

// A listLog tells when the source of a client's list stops answering, once for
// each reason, and when it answers again. One goroutine uses it.
type listLog struct {
	logger *slog.Logger
	target string
	reason string // why the source does not answer; empty: it does
}

func (l *listLog) update(u *discovery.Update) {
	reason := ""
	if u.Err != nil {
		reason = u.Err.Error()
	}
	switch {
	case reason == l.reason:
	case reason == "":
		l.logger.Info("the registry answers", "target", l.target, "instances", len(u.Instances), "skipped", len(u.Skipped))
	case u.Source == discovery.SourceStale:
		l.logger.Warn("the registry does not answer: calling from the last list until it does", "target", l.target, "instances", len(u.Instances), "error", u.Err)
	default:
		l.logger.Warn("the registry does not answer: waiting for the first list of instances", "target", l.target, "error", u.Err)
	}
	l.reason = reason
}
