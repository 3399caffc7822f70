// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package transport

import (
	"net"
	"syscall"
)

// A probe asks the socket below a connection how far its bytes have come. It
// neither reads nor writes. Any goroutine may ask; a nil probe can tell nothing.
type probe struct{ socket syscall.RawConn }

// newProbe finds the socket below conn, through wrappers that have NetConn, as
// tls.Conn has it. It returns nil where there is none to be found.
func newProbe(conn net.Conn) *probe {
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
	return &probe{socket}
}

// unread reports whether the socket holds bytes that were not read yet, or its
// end.
func (p *probe) unread() (found bool) {
	if p == nil {
		return false
	}
	err := p.socket.Control(func(fd uintptr) {
		var b [1]byte
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK)
		found = err == nil
	})
	return found && err == nil
}

// unsent returns how many bytes the socket has taken that the peer's kernel has
// not, where the system knows.
func (p *probe) unsent() (n uint64, known bool) {
	if p == nil {
		return 0, false
	}
	if p.socket.Control(func(fd uintptr) { n, known = outQueue(fd) }) != nil {
		return 0, true // closed: nothing waits
	}
	return n, known
}
