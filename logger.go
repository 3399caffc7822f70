// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"log/slog"
	"sync"
	"time"
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
