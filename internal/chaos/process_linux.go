// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"os/exec"
	"syscall"
)

// ownProcess keeps the terminal's signals from cmd, whose end is ours to choose,
// and lets the kernel end it when this process ends, SIGKILL included.
func ownProcess(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

func killGroup(cmd *exec.Cmd) {
	syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) //nolint:errcheck // it has ended then
}

// The signals of scenarios.
const (
	sigStop     = syscall.SIGSTOP
	sigContinue = syscall.SIGCONT
	canStop     = true
)
