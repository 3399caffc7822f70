// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"io"
)

// maxStdin bounds what is read from stdin: a server takes no larger request by
// default, and a registry less.
const maxStdin = 4 << 20

// readStdin reads stdin to its end, or maxStdin bytes and one more. An interrupt
// ends the wait for somebody who types, or for the other end of a pipe.
func readStdin(ctx context.Context, stdin io.Reader) ([]byte, error) {
	type result struct {
		data []byte
		err  error
	}
	read := make(chan result, 1)
	go func() { // it ends with stdin, or with the process
		data, err := io.ReadAll(io.LimitReader(stdin, maxStdin+1))
		read <- result{data, err}
	}()
	select {
	case r := <-read:
		return r.data, r.err
	case <-ctx.Done():
		return nil, errors.New("interrupted")
	}
}
