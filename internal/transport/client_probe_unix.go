// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package transport

import (
	"errors"
	"net"
	"syscall"
)

// A Probe asks the socket below a connection how far its bytes have come. It
// neither reads nor writes. Any goroutine may ask; a nil Probe can tell nothing.
type Probe struct{ socket syscall.RawConn }

// NewProbe finds the socket below conn, through wrappers that have NetConn, as
// tls.Conn has it. It returns nil where there is none to be found.
func NewProbe(conn net.Conn) *Probe {
	for {
		wrapper, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		conn = wrapper.NetConn()
	}
	source := socketOf(conn)
	if source == nil {
		return nil
	}
	socket, err := source.SyscallConn()
	if err != nil {
		return nil
	}
	return &Probe{socket}
}

// Peek returns what the socket holds that was not read yet.
func (p *Probe) Peek() Pending {
	n, err := p.peek()
	switch {
	case p == nil:
		return PendingUnknown
	case err == nil && n > 0:
		return PendingBytes
	case errors.Is(err, syscall.EAGAIN):
		return PendingNone
	}
	return PendingEnd
}

// unread reports whether the socket holds bytes that were not read yet, or its
// end.
func (p *Probe) unread() bool {
	_, err := p.peek()
	return p != nil && err == nil
}

// peek reads a byte and leaves it there: none is the end.
func (p *Probe) peek() (n int, err error) {
	if p == nil {
		return 0, nil
	}
	closed := p.socket.Control(func(fd uintptr) {
		var b [1]byte
		n, _, err = syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK)
	})
	if closed != nil {
		return 0, closed
	}
	return n, err
}

// unsent returns how many bytes the socket has taken that the peer's kernel has
// not, where the system knows.
func (p *Probe) unsent() (n uint64, known bool) {
	if p == nil {
		return 0, false
	}
	if p.socket.Control(func(fd uintptr) { n, known = outQueue(fd) }) != nil {
		return 0, true // closed: nothing waits
	}
	return n, known
}
