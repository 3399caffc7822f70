// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package chaos

import (
	"errors"
	"os/exec"
	"syscall"
)

// ownProcess does nothing: only Linux can end a child together with its parent.
// Elsewhere the end of its stdin tells a server.
func ownProcess(*exec.Cmd) {}

func killGroup(cmd *exec.Cmd) {
	cmd.Process.Kill() //nolint:errcheck // it has ended then
}

// Not every system can stop a process and go on with it.
const (
	sigStop     = syscall.SIGTERM
	sigContinue = syscall.SIGTERM
	canStop     = false
)

// manyLoopbacks: 127.0.0.1 may be the only address that this machine alone can reach.
const manyLoopbacks = false

const canLimitFiles = false

func limitFiles(int) error { return errors.ErrUnsupported }

// peakMemory returns 0: it is not known.
func peakMemory(int) int64 { return 0 }
