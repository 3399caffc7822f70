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
func outQueue(fd uintptr) (n uint64, known bool) {
	var size int32
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TIOCOUTQ, uintptr(unsafe.Pointer(&size))) //nolint:gosec // the kernel writes an int there
	return uint64(max(size, 0)), errno == 0
}
