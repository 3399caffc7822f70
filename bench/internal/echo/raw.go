// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package echo

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
)

// What both baselines share: frames of 4 bytes length of the payload, 8 bytes
// id, both big endian, and the payload.
const (
	rawHeader = 12
	rawBuffer = 128 << 10 // of each reader, and what a server writes at most at once
)

func appendRaw(b []byte, id uint64, payload []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(payload))) //nolint:gosec // at most maxPayload
	b = binary.BigEndian.AppendUint64(b, id)
	return append(b, payload...)
}

func readRawHeader(r *bufio.Reader) (size int, id uint64, err error) {
	head, err := r.Peek(rawHeader)
	if err != nil {
		return 0, 0, err
	}
	size, id = int(binary.BigEndian.Uint32(head)), binary.BigEndian.Uint64(head[4:])
	if size > maxPayload {
		return 0, 0, fmt.Errorf("frame of %d bytes: the limit is %d", size, maxPayload)
	}
	_, err = r.Discard(rawHeader)
	return size, id, err
}

// serveRaw answers inline, and writes when what it has read is used up.
func serveRaw(ctx context.Context, l net.Listener) error {
	return serveConns(ctx, l, func(conn net.Conn) {
		r := bufio.NewReaderSize(conn, rawBuffer)
		out := make([]byte, 0, rawBuffer)
		for {
			size, id, err := readRawHeader(r)
			if err != nil {
				return
			}
			if len(out) > 0 && len(out)+rawHeader+size > cap(out) {
				if _, err := conn.Write(out); err != nil {
					return
				}
				out = out[:0]
			}
			out = binary.BigEndian.AppendUint32(out, uint32(size)) //nolint:gosec // at most maxPayload
			out = binary.BigEndian.AppendUint64(out, id)
			at := len(out)
			out = slices.Grow(out, size)[:at+size]
			if _, err := io.ReadFull(r, out[at:]); err != nil {
				return
			}
			if moreBuffered(r) {
				continue
			}
			if _, err := conn.Write(out); err != nil {
				return
			}
			out = out[:0]
		}
	})
}

// moreBuffered reports whether the next frame can be read without waiting.
func moreBuffered(r *bufio.Reader) bool {
	if r.Buffered() < rawHeader {
		return false
	}
	head, _ := r.Peek(4)                                                           // it is there
	return uint64(r.Buffered()) >= rawHeader+uint64(binary.BigEndian.Uint32(head)) //nolint:gosec // not negative
}
