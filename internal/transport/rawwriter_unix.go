// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package transport

import (
	"errors"
	"io"
	"net"
	"syscall"
)

// A rawWriter writes to a socket as much as it takes without waiting. Only the
// flusher uses it.
type rawWriter struct {
	conn syscall.RawConn
	step func(fd uintptr) bool
	buf  []byte
	n    int
	err  error
}

// newRawWriter returns nil unless conn is a bare socket. Wrappers around one, also
// those that tell which, are left alone: they may count or change what is written.
func newRawWriter(conn net.Conn) *rawWriter {
	source := socketOf(conn)
	if source == nil {
		return nil
	}
	raw, err := source.SyscallConn()
	if err != nil {
		return nil
	}
	w := &rawWriter{conn: raw}
	w.step = w.write
	return w
}

// socketOf returns conn if it is a bare socket, else nil.
func socketOf(conn net.Conn) syscall.Conn {
	switch c := conn.(type) {
	case *net.TCPConn:
		return c
	case *net.UnixConn:
		return c
	}
	return nil
}

// try writes the first n bytes of b; fewer than all without an error if the
// socket's buffer is full.
func (w *rawWriter) try(b []byte) (n int, err error) {
	w.buf, w.n, w.err = b, 0, nil
	err = w.conn.Write(w.step)
	if err == nil {
		err = w.err
	}
	n, w.buf = w.n, nil
	return n, err
}

func (w *rawWriter) write(fd uintptr) bool {
	for w.n < len(w.buf) {
		n, err := syscall.Write(int(fd), w.buf[w.n:])
		switch {
		case err == nil && n > 0:
			w.n += n
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EAGAIN):
			return true
		case err == nil:
			w.err = io.ErrUnexpectedEOF
			return true
		default:
			w.err = err
			return true
		}
	}
	return true
}
