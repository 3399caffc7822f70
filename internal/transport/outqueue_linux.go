// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"syscall"
	"unsafe"
)

// outQueue returns how much of what a socket was given its peer's kernel has not
// acknowledged (SIOCOUTQ, tcp(7)); of a Unix socket, the memory of what its peer has
// not read.
func outQueue(fd uintptr) uint64 {
	var n int32
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TIOCOUTQ, uintptr(unsafe.Pointer(&n))) //nolint:gosec // the kernel writes an int there
	if errno != 0 {
		return 0
	}
	return uint64(max(n, 0)) //nolint:gosec // not negative
}
