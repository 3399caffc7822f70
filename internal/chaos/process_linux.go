// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
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

// manyLoopbacks: all of 127.0.0.0/8 are addresses of this machine.
const manyLoopbacks = true

const canLimitFiles = true

// limitFiles bounds the descriptors of this process.
func limitFiles(most int) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	limit.Cur = uint64(most) //nolint:gosec // positive
	return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
}

// peakMemory returns how many bytes a process had resident at most. Getrusage would
// tell of the process that has started it too.
func peakMemory(pid int) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, peak, _ := strings.Cut(string(status), "VmHWM:")
	var kib int64
	fmt.Sscan(peak, &kib) //nolint:errcheck // 0 then
	return kib << 10
}
