// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"encoding/binary"
	"fmt"
	"io"
)

const (
	// firstRead is the read buffer of a quiet connection, busyRead that of one
	// that fills it.
	firstRead = 4 << 10
	busyRead  = 64 << 10
	// lengthSize is the length in front of each frame.
	lengthSize = 4
)

// A frameReader cuts a stream into frames. Its buffer grows as bytes arrive,
// never for a length that was only announced: it holds at most twice what was
// received, or busyRead.
type frameReader struct {
	src  io.Reader
	buf  []byte
	r, w int // buf[r:w] is not consumed yet
	max  int // greatest payload in bytes
}

func newFrameReader(src io.Reader, maxPayload int) frameReader {
	return frameReader{src: src, buf: make([]byte, firstRead), max: maxPayload}
}

// next returns the payload of the next frame, which is valid until fill is
// called, and false if it has not arrived in full. A length out of bounds is an
// error.
func (f *frameReader) next() (payload []byte, ok bool, err error) {
	if f.w-f.r < lengthSize {
		return nil, false, nil
	}
	n := int32(binary.BigEndian.Uint32(f.buf[f.r:])) //nolint:gosec // two's complement is the encoding
	if n < 0 || int(n) > f.max {
		return nil, false, fmt.Errorf("zkserver: frame of %d bytes: want 0 to %d", n, f.max)
	}
	end := f.r + lengthSize + int(n)
	if end > f.w {
		return nil, false, nil
	}
	payload = f.buf[f.r+lengthSize : end : end]
	f.r = end
	return payload, true, nil
}

// peek returns the first n bytes not consumed, and false if they have not
// arrived.
func (f *frameReader) peek(n int) ([]byte, bool) {
	if f.w-f.r < n {
		return nil, false
	}
	return f.buf[f.r : f.r+n], true
}

// fill reads once, waiting if need be.
func (f *frameReader) fill() error {
	f.makeRoom()
	n, err := f.src.Read(f.buf[f.w:])
	f.w += n
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

func (f *frameReader) makeRoom() {
	full := f.w == len(f.buf)
	switch {
	case len(f.buf) > busyRead && f.r > 0 && f.w-f.r < firstRead: // a large request has passed
		small := make([]byte, firstRead)
		f.w = copy(small, f.buf[f.r:f.w])
		f.buf, f.r = small, 0
	case !full:
		if f.r == f.w {
			f.r, f.w = 0, 0
		}
	case f.r > 0 && len(f.buf) >= busyRead:
		f.w = copy(f.buf, f.buf[f.r:f.w])
		f.r = 0
	default: // a full buffer: more is coming
		grown := make([]byte, min(2*len(f.buf), max(busyRead, lengthSize+f.max)))
		f.w = copy(grown, f.buf[f.r:f.w])
		f.buf, f.r = grown, 0
	}
}
