// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"os"
	"syscall"
)

// syncData syncs what is needed to read the contents again: not the times.
func syncData(f *os.File) error {
	err := retry(func() error { return syscall.Fdatasync(int(f.Fd())) })
	return os.NewSyscallError("fdatasync "+f.Name(), err)
}
