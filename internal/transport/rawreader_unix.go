// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package transport

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// A rawReader reads from a socket into an inbox's empty buffer, which it takes when
// there is something to read. Only the connection's reader uses it.
type rawReader struct {
	in   *inbox
	conn syscall.RawConn
	step func(fd uintptr) bool
	n    int
	err  error
}

// newRawReader returns nil unless conn is a bare socket, as newRawWriter does.
func newRawReader(conn net.Conn, in *inbox) *rawReader {
	source := socketOf(conn)
	if source == nil {
		return nil
	}
	raw, err := source.SyscallConn()
	if err != nil {
		return nil
	}
	r := &rawReader{in: in, conn: raw}
	r.step = r.try
	return r
}

// read is [net.Conn.Read] into the inbox's buffer.
func (r *rawReader) read() (n int, err error) {
	r.n, r.err = 0, nil
	if err = r.conn.Read(r.step); err == nil {
		err = r.err
	}
	return r.n, err
}

// try reads what there is; false: nothing is there yet.
func (r *rawReader) try(fd uintptr) bool {
	r.in.take()
	for {
		n, err := syscall.Read(int(fd), r.in.buf)
		switch {
		case err == nil && n > 0:
			r.n = n
		case err == nil:
			r.err = io.EOF
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EAGAIN):
			r.in.drop()
			return false
		default:
			conn := r.in.conn
			r.err = &net.OpError{
				Op: "read", Net: conn.LocalAddr().Network(), Source: conn.LocalAddr(), Addr: conn.RemoteAddr(), Err: os.NewSyscallError("read", err),
			}
		}
		return true
	}
}
