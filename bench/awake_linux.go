// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// keepAwake keeps every core from halting until stop is called: waking a halted
// virtual CPU costs more than the call that is measured. Best has the kernel poll
// where it would halt. Where it may not, a spinner on each core has the policy
// SCHED_IDLE (sched(7)): it runs only when nothing else wants to, and the scheduler
// counts its core as idle; but now and then what becomes ready waits for the next
// tick, 4 to 8 ms, mostly of what a disk has answered.
func keepAwake(ctx context.Context) (stop func(), err error) {
	if f := pollWhenIdle(); f != nil {
		return func() { f.Close() }, nil // which ends the request
	}
	c, err := startChild(ctx, "spin", spec{})
	if err != nil {
		return nil, err
	}
	if _, err := c.line(); err != nil {
		return nil, err
	}
	return func() { c.end() }, nil //nolint:errcheck // it has nothing to say
}

// pollWhenIdle asks for wake-ups without latency (PM QoS: the kernel's
// Documentation/power/pm_qos_interface.rst) as long as the file is open; nil: that
// may not be, or there is no driver that would follow.
func pollWhenIdle() *os.File {
	driver, err := os.ReadFile("/sys/devices/system/cpu/cpuidle/current_driver")
	if name := strings.TrimSpace(string(driver)); err != nil || name == "" || name == "none" {
		return nil
	}
	f, err := os.OpenFile("/dev/cpu_dma_latency", os.O_WRONLY, 0)
	if err != nil {
		return nil
	}
	if _, err := f.Write(make([]byte, 4)); err != nil { // an int32 of µs
		f.Close() // nothing is asked for
		return nil
	}
	return f
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
	for err == nil && !over.Load() { // it is to burn a core
	}
}
