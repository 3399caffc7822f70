// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

// Package loglimit writes the log lines that a peer can cause: strangers must
// not fill the disk.
//
//	log := loglimit.New(logger, nil)
//	log.Warn("connection closed: no known protocol", "address", conn.RemoteAddr().String())
//
// # Concurrency
//
// All methods may be called from any goroutine.
//
// # Caveats
//
// What is left out is counted and told by the next line with the same message;
// without a next line nobody tells.
package loglimit

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Every is the least time between two lines with the same message.
const Every = time.Second

// A Limiter writes at most one line per second for each message, and counts those
// it leaves out. A nil Limiter writes nothing.
type Limiter struct {
	logger *slog.Logger
	now    func() time.Time

	mu    sync.Mutex       // guards what follows
	lines map[string]*line // by message
}

// A line is what became of a message.
type line struct {
	last    time.Time // when it was written
	leftOut int       // since then
}

// New returns a Limiter that writes to logger; nil discards. now is the clock; nil
// is time.Now.
func New(logger *slog.Logger, now func() time.Time) *Limiter {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	if now == nil {
		now = time.Now
	}
	return &Limiter{logger: logger, now: now, lines: make(map[string]*line)}
}

// Warn writes msg as a warning with the attributes of args, as slog.Logger has
// them, unless it was written less than a second ago. The attribute left_out_before
// is the number of lines left out since. msg must be one of few constants: each has
// its own count, kept for good.
func (l *Limiter) Warn(msg string, args ...any) { l.log(slog.LevelWarn, msg, args) }

// Error is Warn for an error.
func (l *Limiter) Error(msg string, args ...any) { l.log(slog.LevelError, msg, args) }

func (l *Limiter) log(level slog.Level, msg string, args []any) {
	if l == nil {
		return
	}
	leftOut, write := l.take(msg)
	if !write {
		return
	}
	if leftOut > 0 {
		args = append(args, "left_out_before", leftOut)
	}
	l.logger.Log(context.Background(), level, msg, args...) //nolint:sloglint // the caller's
}

// take reports whether msg is to be written now, and how many were left out before.
func (l *Limiter) take(msg string) (leftOut int, write bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	of := l.lines[msg]
	if of == nil {
		of = &line{}
		l.lines[msg] = of
	} else if now.Sub(of.last) < Every {
		of.leftOut++
		return 0, false
	}
	leftOut = of.leftOut
	of.last, of.leftOut = now, 0
	return leftOut, true
}
