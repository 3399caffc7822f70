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
