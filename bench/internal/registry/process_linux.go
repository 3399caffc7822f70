// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// CPU returns the user and system time of the process so far, to the nanosecond.
func (v *Server) CPU() (time.Duration, error) {
	// The clock of another process, as clock_getcpuclockid(3) makes it.
	const schedClock = 2
	var ts unix.Timespec
	clock := int32(^v.cmd.Process.Pid)<<3 | schedClock //nolint:gosec // process ids have 22 bits
	if err := unix.ClockGettime(clock, &ts); err != nil {
		return 0, fmt.Errorf("CPU time of process %d: %w", v.cmd.Process.Pid, err)
	}
	return time.Duration(ts.Nano()), nil
}

// RSS returns how much of the process is in memory, and the most that ever was,
// in bytes.
func (v *Server) RSS() (now, most int64, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", v.cmd.Process.Pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range bytes.Lines(status) {
		words := bytes.Fields(line)
		if len(words) < 3 {
			continue
		}
		kilobytes, _ := strconv.ParseInt(string(words[1]), 10, 64)
		switch string(words[0]) {
		case "VmRSS:":
			now = kilobytes << 10
		case "VmHWM:":
			most = kilobytes << 10
		}
	}
	return now, most, nil
}

// dieWithUs lets the kernel end cmd when we end, a crash included.
func dieWithUs(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
