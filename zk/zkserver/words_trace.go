// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"bytes"
	"encoding/binary"
	"strconv"
)

// firstTraceMask is ZooTrace's default.
const firstTraceMask = 306

// The trace mask is kept and told, so that tools that set it are content.
// Nothing is traced here, whatever it says.

func writeTraceMask(c *conn, b *bytes.Buffer) {
	b.WriteString(strconv.FormatInt(c.srv.traceMask.Load(), 10))
}

// setTraceMask reads the mask, a long, from behind the word.
func setTraceMask(c *conn, b *bytes.Buffer) {
	const size = lengthSize + 8
	for {
		if word, ok := c.in.peek(size); ok {
			mask := binary.BigEndian.Uint64(word[lengthSize:])
			c.srv.traceMask.Store(int64(mask)) //nolint:gosec // a pattern of bits
			writeTraceMask(c, b)
			return
		}
		if c.in.fill() != nil {
			return
		}
	}
}
