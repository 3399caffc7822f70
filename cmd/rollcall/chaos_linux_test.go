// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// children returns the processes that a process has started.
func children(t *testing.T, parent int) (pids []string) {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, stat := range stats {
		if f := fields(stat); len(f) > 1 && f[1] == strconv.Itoa(parent) {
			pids = append(pids, filepath.Base(filepath.Dir(stat)))
		}
	}
	return pids
}

// fields returns what follows the name in a stat of /proc: state, parent and
// more; nil: there is no such process.
func fields(stat string) []string {
	data, err := os.ReadFile(stat)
	if err != nil {
		return nil
	}
	return strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
}

// A suite that is killed, which runs no cleanup, leaves no process: neither a
// registry nor a server, a stopped one included.
func TestChaosKilled(t *testing.T) {
	cmd := chaosCmd(append([]string{"--only", "calm,stop"}, chaosFor...)...)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewReader(stdout); !strings.HasPrefix(line(t, lines), "calm "); {
	}
	const processes = 4 // three servers and the registry
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	limit := time.After(30 * time.Second)
	pids := children(t, cmd.Process.Pid)
	for stopped := false; !stopped || len(pids) < processes; pids = children(t, cmd.Process.Pid) {
		select {
		case <-poll.C:
		case <-limit:
			t.Fatalf("processes %v, one of them stopped: %v; want %d", pids, stopped, processes)
		}
		stopped = false
		for _, pid := range pids {
			f := fields("/proc/" + pid + "/stat")
			stopped = stopped || (len(f) > 0 && f[0] == "T")
		}
	}
	cmd.Process.Kill() //nolint:errcheck // it has ended then
	cmd.Wait()         //nolint:errcheck // it was killed
	for _, pid := range pids {
		for f := fields("/proc/" + pid + "/stat"); len(f) > 0 && f[0] != "Z"; f = fields("/proc/" + pid + "/stat") {
			select {
			case <-poll.C:
			case <-limit:
				t.Fatalf("process %s outlives the suite, state %s", pid, f[0])
			}
		}
	}
}
