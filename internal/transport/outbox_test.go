// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"net"
	"testing"
)

// A countingConn wraps a connection, and counts writes.
type countingConn struct {
	net.Conn
	writes int
}

func (c *countingConn) Write(b []byte) (int, error) {
	c.writes++
	return len(b), nil
}

// TestPiecesOfAWrite counts what a flush costs on a wrapped connection, as every
// connection of a server is, and those with TLS are.
func TestPiecesOfAWrite(t *testing.T) {
	conn := &countingConn{}
	var out outbox
	out.init(conn, 1<<20, nil, nil)
	if n, err := out.write(make([]byte, 128<<10)); n != 128<<10 || err != nil || conn.writes != 2 {
		t.Errorf("got %d bytes, %v, in %d writes; want 131072 in 2", n, err, conn.writes)
	}
}

// Who lets others append first may be overtaken by the last of many of them, and then
// finds its duty gone: what waits is written once, and not only when it is its turn again.
func TestFlushIsOvertaken(t *testing.T) {
	for name, test := range map[string]struct {
		frame    int // bytes that each appends
		overtake int // who does
	}{
		"many":  {1, overtakeAfter},
		"large": {4 << 10, 1<<8/4 - 1},
	} {
		t.Run(name, func(t *testing.T) {
			conn := &countingConn{}
			var out outbox
			out.init(conn, 1<<20, nil, nil)
			join := func() (flush, yield bool) {
				out.mu.Lock()
				defer out.mu.Unlock()
				out.commit(append(out.reserve(test.frame), make([]byte, test.frame)...))
				return out.begin(true)
			}
			if flush, yield := join(); !flush || !yield {
				t.Fatalf("the first: got %v, %v, want true, true", flush, yield)
			}
			for n := 1; ; n++ {
				flush, yield := join()
				if yield || flush != (n == test.overtake) {
					t.Fatalf("the %d. behind it: got %v, %v, want %v, false", n, flush, yield, n == test.overtake)
				}
				if flush {
					break
				}
			}
			out.flush(false, true)
			written := conn.writes
			if written == 0 || out.flushing {
				t.Fatalf("after it was overtaken: %d writes, flushing %v, want some, and false", written, out.flushing)
			}
			out.flush(true, true) // the first comes back
			if conn.writes != written || out.flushing {
				t.Errorf("after the first came back: %d writes, flushing %v, want %d, false", conn.writes, out.flushing, written)
			}
		})
	}
}
