// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// startSpinners keeps every core from halting until stop is called: waking a
// halted virtual CPU costs more than the call that is measured. The spinners
// have the policy SCHED_IDLE (sched(7)): they run only when nothing else wants
// to, and the scheduler counts their core as idle.
func startSpinners(ctx context.Context) (stop func(), err error) {
	c, err := startChild(ctx, "spin", spec{})
	if err != nil {
		return nil, err
	}
	if _, err := c.line(); err != nil {
		return nil, err
	}
	return func() { c.end() }, nil //nolint:errcheck // it has nothing to say
}

// runSpinners is the process with a spinner for each core.
func runSpinners(context.Context, *spec) error {
	var allowed unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		return fmt.Errorf("cores: %w", err)
	}
	n := allowed.Count()
	runtime.GOMAXPROCS(n + 1) // one for the wait for the end
	ready := make(chan error, n)
	var over atomic.Bool
	for core := range len(allowed) * 64 {
		if allowed.IsSet(core) {
			go spin(core, ready, &over) // it ends with the process
		}
	}
	for range n {
		if err := <-ready; err != nil {
			return err
		}
	}
	fmt.Println("spinning")
	_, err := io.Copy(io.Discard, os.Stdin)
	over.Store(true)
	return err
}

func spin(core int, ready chan<- error, over *atomic.Bool) {
	runtime.LockOSThread()
	var only unix.CPUSet
	only.Set(core)
	err := unix.SchedSetaffinity(0, &only)
	if err == nil {
		err = unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_IDLE}, 0)
	}
	ready <- err
	for err == nil && !over.Load() { //nolint:revive // that is what it is for
	}
}
