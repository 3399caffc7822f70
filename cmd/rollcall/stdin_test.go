// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"io"
	"sync"
	"testing"
)

// A silentInput is a terminal at which nobody types. Its first Read is told of.
type silentInput struct {
	read func()
	end  <-chan struct{}
}

func (in silentInput) Read([]byte) (int, error) {
	in.read()
	<-in.end
	return 0, io.EOF
}

// A command that waits for stdin is ended by an interrupt, like any other.
func TestInterruptedAtStdin(t *testing.T) {
	end := make(chan struct{})
	defer close(end)
	for _, args := range [][]string{
		{"call", "static://127.0.0.1:1", "M", "-"},
		{"zk", "set", "/x", "-"},
		{"zk", "create", "/x", "-"},
	} {
		ctx, interrupt := context.WithCancel(t.Context())
		var stdout, stderr bytes.Buffer
		status := run(ctx, args, silentInput{sync.OnceFunc(interrupt), end}, &stdout, &stderr)
		result{status, stdout.String(), stderr.String()}.check(t, statusFailure, nil, []string{"from stdin: interrupted\n"})
	}
}
