// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"sync"
)

// An output is stdout. What cannot be written to it, for the disk is full, is an
// error of the whole command, wherever that prints: the first one ends the command,
// and it alone is what the exit status is for.
type output struct {
	io.Writer
	failed func(error) // is told of the first error

	mu  sync.Mutex // guards err
	err error
}

// Write writes, unless that has failed before.
func (o *output) Write(p []byte) (int, error) {
	if err := o.Err(); err != nil {
		return 0, err
	}
	n, err := o.Writer.Write(p)
	if err != nil {
		o.mu.Lock()
		o.err = fmt.Errorf("the output cannot be written: %w", err)
		err = o.err
		o.mu.Unlock()
		o.failed(err)
	}
	return n, err
}

// Err returns the first error, or nil. It may be called from any goroutine.
func (o *output) Err() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}
