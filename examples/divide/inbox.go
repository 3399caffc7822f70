// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package divide

import (
	"errors"
	"fmt"
	"io"
	"slices"
)

// An inbox reads messages from a stream.
type inbox struct {
	r   io.Reader
	buf []byte // read and not yet parsed
}

// next reads one message. It returns io.EOF only where the stream ends between
// two messages.
func next[M any](in *inbox, parse func([]byte) (M, int, error)) (M, error) {
	for {
		m, n, err := parse(in.buf)
		if err == nil {
			in.buf = in.buf[:copy(in.buf, in.buf[n:])]
			return m, nil
		}
		if !errors.Is(err, ErrIncomplete) {
			return m, err
		}
		if err := in.fill(n); err != nil {
			return m, err
		}
	}
}

// fill reads until there are n bytes. The parser has checked every length that n
// comes from.
func (in *inbox) fill(n int) error {
	have := len(in.buf)
	in.buf = slices.Grow(in.buf, n-have)
	got, err := io.ReadAtLeast(in.r, in.buf[have:cap(in.buf)], n-have)
	in.buf = in.buf[:have+got]
	if err == nil || len(in.buf) == 0 {
		return err
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("divide: the stream ended within a message, after %d of at least %d bytes: %w", len(in.buf), n, err)
}
