// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

// Package execlog notes which calls were executed, so that a test can tell
// afterwards whether one was executed twice, or was executed although its caller
// was told that it was not.
//
//	log, err := execlog.Open(path) // in every process that has handlers
//	err = log.Note(id)             // first thing in a handler, before it works
//	counts, err := execlog.Read(path)
//	twice := execlog.Twice(counts)
//	wrong := execlog.Check(counts, calls) // what the callers were told
//
// A line is one write to a file that is open for appending: lines of several
// processes do not mix, and none is lost when a process is killed behind it.
//
// # Concurrency
//
// Note may be called from any goroutine, and by any number of processes on one
// machine. Read sees what was noted before it was called.
//
// # Caveats
//
// Notes survive the end of a process, not that of the machine: nothing is synced.
package execlog

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
)

// A line is the id in hex digits, as many as fit, and a line feed.
const (
	digits   = 16
	lineSize = digits + 1
)

// A Log is a file of notes, open for writing.
type Log struct{ file *os.File }

// Open opens the log at path and makes it where there is none.
func Open(path string) (*Log, error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600) //nolint:gosec // the caller names the file
	if err != nil {
		return nil, fmt.Errorf("execlog: %w", err)
	}
	return &Log{file}, nil
}

// Note notes that the call id is being executed.
func (l *Log) Note(id uint64) error {
	if _, err := l.file.Write(appendLine(nil, id)); err != nil {
		return fmt.Errorf("execlog: %w", err)
	}
	return nil
}

// Close closes the file.
func (l *Log) Close() error { return l.file.Close() }

func appendLine(b []byte, id uint64) []byte { return fmt.Appendf(b, "%0*x\n", digits, id) }

// Read returns how often each id of the log at path was noted. A line that Note
// does not write is an error: the log would prove nothing.
func Read(path string) (map[uint64]int, error) {
	data, err := os.ReadFile(path) //nolint:gosec // the caller names the file
	if err != nil {
		return nil, fmt.Errorf("execlog: %w", err)
	}
	counts := make(map[uint64]int, len(data)/lineSize)
	for at := 0; at < len(data); at += lineSize {
		line := data[at:min(at+lineSize, len(data))]
		id, err := strconv.ParseUint(string(line[:min(digits, len(line))]), 16, 64)
		if err != nil || !bytes.Equal(line, appendLine(nil, id)) {
			return nil, fmt.Errorf("execlog: %s: byte %d: %q is no line of %d hex digits", path, at, line, digits)
		}
		counts[id]++
	}
	return counts, nil
}

// Twice returns the ids that were noted more than once, in order.
func Twice(counts map[uint64]int) []uint64 {
	twice := maps.Clone(counts)
	maps.DeleteFunc(twice, func(_ uint64, n int) bool { return n < 2 })
	return slices.Sorted(maps.Keys(twice))
}
