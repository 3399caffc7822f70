// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"io"
	"net"
	"sync/atomic"

	"github.com/rollcall-rpc/rollcall/frame"
)

const (
	minInBuffer = 4 << 10
	maxInBuffer = 256 << 10 // unless a frame needs more
	// toeBytes is the buffer of a connection at rest that cannot wait without one.
	toeBytes = 512
)

// An inbox reads frames. Only the connection's reader uses it.
//
// A connection at rest has no buffer: as much as it read at a time of late is taken
// from the pool once there is something to read.
type inbox struct {
	conn     net.Conn
	raw      *rawReader // waits without a buffer; nil if conn cannot
	maxFrame int
	size     int           // of the next buffer
	buf      []byte        // pooled, or nil
	r, w     int           // buf[r:w] was read from conn and not yet consumed
	reads    atomic.Uint64 // successful reads, for the keepalive
}

func (in *inbox) init(conn net.Conn, maxFrame int) {
	in.conn, in.maxFrame, in.size = conn, maxFrame, minInBuffer
	in.raw = newRawReader(conn, in)
}

// put puts bytes into the buffer before anything is read.
func (in *inbox) put(b []byte) {
	if len(b) > 0 {
		in.buf = getBuffer(max(len(b), in.size))
		in.w = copy(in.buf, b)
	}
}

// next returns the next frame. The payload is valid until the call after. The
// error is io.EOF at a frame's boundary only; one that is a *frame.FormatError
// means that the peer broke the protocol.
func (in *inbox) next() (frame.Header, []byte, error) {
	if err := in.fill(frame.HeaderBytes); err != nil {
		return frame.Header{}, nil, err
	}
	h, err := frame.ParseHeader(in.buf[in.r:in.w])
	if err == nil {
		err = h.Check(in.maxFrame)
	}
	if err != nil {
		return h, nil, err
	}
	size := frame.HeaderBytes + int(h.Length)
	if err := in.fill(size); err != nil {
		if err == io.EOF { //nolint:errorlint // fill returns it bare
			err = io.ErrUnexpectedEOF
		}
		return h, nil, err
	}
	payload := in.buf[in.r+frame.HeaderBytes : in.r+size]
	in.r += size
	return h, payload, nil
}

// preface returns the peer's preface, whole. A stranger is known by its first
// byte.
func (in *inbox) preface() ([]byte, error) {
	if err := in.fill(1); err != nil {
		return nil, err
	}
	need := 1
	if in.buf[in.r] == frame.FirstByte {
		need = frame.PrefaceHeaderBytes
	}
	if err := in.fill(need); err != nil {
		return nil, err
	}
	size, err := frame.PrefaceSize(in.buf[in.r:in.w])
	if err == nil {
		err = in.fill(size)
	}
	if err != nil {
		return nil, err
	}
	b := in.buf[in.r : in.r+size]
	in.r += size
	return b, nil
}

// buffered reports whether next would return without reading.
func (in *inbox) buffered() bool {
	have := in.buf[in.r:in.w]
	if len(have) < frame.HeaderBytes {
		return false
	}
	h, err := frame.ParseHeader(have)
	return err != nil || h.Check(in.maxFrame) != nil || len(have) >= frame.HeaderBytes+int(h.Length)
}

// fill reads until n bytes are in the buffer. n was checked against a limit.
func (in *inbox) fill(n int) error {
	for in.w-in.r < n {
		var m int
		var err error
		if in.w == in.r {
			m, err = in.await()
		} else {
			in.makeRoom(n)
			m, err = in.conn.Read(in.buf[in.w:])
		}
		if m > 0 {
			in.w += m
			in.reads.Add(1)
			in.learn(m)
			continue
		}
		if err == io.EOF && in.w > in.r { //nolint:errorlint // net.Conn returns it bare
			return io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// await reads into the empty buffer. Where it has to wait it has none meanwhile.
func (in *inbox) await() (int, error) {
	in.r, in.w = 0, 0
	if in.raw != nil {
		return in.raw.read()
	}
	in.drop()
	in.buf = getBuffer(toeBytes)
	return in.conn.Read(in.buf)
}

// take makes sure that there is a buffer.
func (in *inbox) take() {
	if in.buf == nil {
		in.buf = getBuffer(in.size)
	}
}

// drop gives the buffer back. It is empty.
func (in *inbox) drop() {
	if in.buf != nil {
		putBuffer(in.buf)
		in.buf = nil
	}
}

// learn notes how much is read at a time.
func (in *inbox) learn(m int) {
	switch {
	case in.w == len(in.buf) && len(in.buf) >= in.size:
		in.size = min(2*in.size, maxInBuffer)
	case m < in.size/4:
		in.size = max(in.size/2, minInBuffer)
	}
}

// makeRoom makes the buffer, which is not empty, able to hold one byte more than it
// holds now, and n bytes from in.r on where it is large enough for them. It grows
// only when the last read filled it, at most to twice its size or to what is read of
// late: n was announced, not sent.
func (in *inbox) makeRoom(n int) {
	size, left := len(in.buf), in.w-in.r
	full := in.w == size
	if !full && (in.r == 0 || in.r+n <= size) {
		return
	}
	if full {
		size = max(size, in.size, min(2*size, max(n, maxInBuffer)))
	}
	to := in.buf
	if size > len(to) {
		to = getBuffer(size)
		to = to[:cap(to)]
	}
	copy(to, in.buf[in.r:in.w])
	if len(to) > len(in.buf) {
		putBuffer(in.buf)
	}
	in.buf, in.r, in.w = to, 0, left
}
