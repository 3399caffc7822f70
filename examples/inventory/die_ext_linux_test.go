// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package inventory_test

import (
	"os/exec"
	"syscall"
)

// dieWithUs lets the kernel end cmd when the test process ends, a time-out's
// panic included, where no cleanup runs.
func dieWithUs(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
