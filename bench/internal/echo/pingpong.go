// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package echo

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"

	"github.com/rollcall-rpc/rollcall/internal/load"
)

// pingPong is the least that a call can cost: the caller writes and reads the
// socket itself.
func pingPong() System {
	return System{
		Name: "r1", Lone: true,
		Measure: "baseline, raw Go on TCP: the only caller writes a frame and reads the answer itself",
		Serve:   serveRaw, Dial: dialPingPong,
	}
}

type pingPongConn struct {
	net.Conn
	r *bufio.Reader
}

func dialPingPong(ctx context.Context, addr string) (Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return &pingPongConn{Conn: conn, r: bufio.NewReaderSize(conn, rawBuffer)}, nil
}

func (c *pingPongConn) Caller(sizeBytes int) load.Echo {
	var out []byte
	var id uint64
	reply := make([]byte, sizeBytes)
	return func(payload []byte) ([]byte, error) {
		id++
		out = appendRaw(out[:0], id, payload)
		if _, err := c.Write(out); err != nil {
			return nil, err
		}
		size, got, err := readRawHeader(c.r)
		if err != nil {
			return nil, err
		}
		if size != len(reply) || got != id {
			return nil, fmt.Errorf("reply %d of %d bytes, want %d of %d", got, size, id, len(reply))
		}
		_, err = io.ReadFull(c.r, reply)
		return reply, err
	}
}
