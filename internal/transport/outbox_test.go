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
// connection of a server is: only a client, whose keepalive looks at the progress,
// writes small pieces.
func TestPiecesOfAWrite(t *testing.T) {
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	server := NewServerConn(&countingConn{Conn: near}, ServerOptions{})
	client := NewClientConn(&countingConn{Conn: far}, ClientOptions{})
	defer client.Close()
	for _, c := range []struct {
		side string
		most int
		want int
	}{
		{"server", server.out.most, 1},
		{"client", client.out.most, 4},
	} {
		conn := &countingConn{}
		out := outbox{conn: conn, most: c.most}
		if n, err := out.write(make([]byte, 64<<10)); n != 64<<10 || err != nil || conn.writes != c.want {
			t.Errorf("%s: got %d bytes, %v, in %d writes; want 65536 in %d", c.side, n, err, conn.writes, c.want)
		}
	}
}
