// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// startSpinners keeps every core from halting until stop is called: waking a
// halted virtual CPU costs more than the call that is measured. The spinners
// have the policy SCHED_IDLE (sched(7)): they run only when nothing else wants
// to, and the scheduler counts their core as idle. That holds among the tasks of
// one group. A kernel thread that a disk's answer needs is not in ours, and waits
// for the turn of our group to end, up to 7 ms; hence a group that is idle itself,
// where we may make one.
func startSpinners(ctx context.Context) (stop func(), err error) {
	c, err := startChild(ctx, "spin", spec{})
	if err != nil {
		return nil, err
	}
	if _, err := c.line(); err != nil {
		return nil, err
	}
	group := idleGroup()
	if group != "" {
		pid := strconv.Itoa(c.cmd.Process.Pid)
		_ = os.WriteFile(filepath.Join(group, "cgroup.procs"), []byte(pid), 0) // else they spin where they are
	}
	return func() {
		c.end() //nolint:errcheck // it has nothing to say
		if group != "" {
			_ = os.Remove(group)
		}
	}, nil
}

// idleGroup makes a control group whose tasks run only when nothing else wants to
// (cpu.idle of cgroups(7)), and returns its directory; "": it may not.
func idleGroup() string {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(mounts)) {
		place, what, _ := strings.Cut(line, " - ")
		at, how := strings.Fields(place), strings.Fields(what)
		if len(at) < 5 || len(how) < 3 {
			continue
		}
		cpu := how[0] == "cgroup2" || how[0] == "cgroup" && slices.Contains(strings.Split(how[2], ","), "cpu")
		dir := filepath.Join(at[4], "bench-spin-"+strconv.Itoa(os.Getpid()))
		if !cpu || os.Mkdir(dir, 0o755) != nil {
			continue
		}
		if os.WriteFile(filepath.Join(dir, "cpu.idle"), []byte("1"), 0) == nil {
			return dir
		}
		_ = os.Remove(dir)
	}
	return ""
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
