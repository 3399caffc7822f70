// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package conformance_test

import (
	"bufio"
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/rollcall-rpc/rollcall/internal/realtest"
)

// TestKazoo plays kazoo's calls and recipes.
func TestKazoo(t *testing.T) {
	eachServer(t, func(t *testing.T, s server) {
		runKazoo(t, s, nil, "nodes", "locks", "queues", "members", "caches")
	})
}

// TestKazooSASL plays clients that authenticate in a way that the server does not
// know.
func TestKazooSASL(t *testing.T) {
	realtest.PureSASL(t)
	eachServer(t, func(t *testing.T, s server) {
		runKazoo(t, s, nil, "credentials")
	})
}

// TestKazooRestart plays what outlives a restart of the server.
func TestKazooRestart(t *testing.T) {
	eachDurable(t, func(t *testing.T, s server) {
		runKazoo(t, s, map[string]func(){"stop": s.Stop, "start": s.Start}, "restarts")
	})
}

// TestKazooWiped has the registry lose everything.
func TestKazooWiped(t *testing.T) {
	t.Parallel()
	s := startRegistry(t, false)
	runKazoo(t, s, map[string]func(){"wipe": s.Wipe}, "wipes")
}

// runKazoo runs the tests of Python modules, each as a subtest. They may ask for
// what switches holds.
func runKazoo(t *testing.T, s server, switches map[string]func(), modules ...string) {
	t.Helper()
	script := append([]string{"-B", "run.py", s.Addr()}, modules...)
	cmd := realtest.Command(t, realtest.Kazoo(t), script...)
	cmd.Dir = "python"
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { endProcess(cmd) })
	ended, tests := false, 0
	for in := bufio.NewScanner(stdout); in.Scan(); {
		word, rest, _ := strings.Cut(in.Text(), " ")
		switch {
		case strings.HasPrefix(word, "!"):
			answer := "unknown"
			if f := switches[word[1:]]; f != nil {
				f()
				answer = "done"
			}
			_, _ = io.WriteString(stdin, answer+"\n") // its end is told below
		case word == "ok":
			name, seconds, _ := strings.Cut(rest, " ")
			t.Run(name, func(t *testing.T) { t.Logf("%s s", seconds) })
			tests++
		case word == "FAIL":
			t.Run(rest, func(t *testing.T) { t.Error("see the traceback below") })
			tests++
		case word == "end":
			ended = true
		default:
			t.Log(in.Text())
		}
	}
	if err := cmd.Wait(); err != nil || !ended || tests == 0 {
		t.Errorf("kazoo ended with %v after %d tests, end told: %t", err, tests, ended)
	}
	if t.Failed() {
		t.Logf("its errors:\n%s", &stderr)
	}
}

// endProcess ends a process that may have ended already.
func endProcess(cmd *exec.Cmd) {
	if cmd.ProcessState == nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
}
