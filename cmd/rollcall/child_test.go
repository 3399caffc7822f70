// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// A child is this test binary in a process of its own, as something that listens.
type child struct {
	cmd    *exec.Cmd
	addr   string
	stderr bytes.Buffer // to be read when it has ended
}

// startChild starts this test binary in a mode, which an environment variable
// tells, and waits until it prints that it is ready: a line of words and the
// address where it listens.
func startChild(t *testing.T, mode, words string, args ...string) *child {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := &child{cmd: exec.Command(executable, args...)}
	c.cmd.Env = append(os.Environ(), mode+"=1")
	c.cmd.Stderr = &c.stderr
	dieWithUs(c.cmd)
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.kill)
	ready, err := bufio.NewReader(stdout).ReadString('\n')
	addr, ok := strings.CutPrefix(strings.TrimSpace(ready), words)
	if !ok {
		c.kill()
		t.Fatalf("got %q, %v, want %q and an address; stderr:\n%s", ready, err, words, c.stderr.String())
	}
	c.addr = addr
	return c
}

// kill ends the process with SIGKILL and waits for its end.
func (c *child) kill() {
	c.cmd.Process.Kill() //nolint:errcheck // it may have ended
	c.cmd.Wait()         //nolint:errcheck // killed
}
