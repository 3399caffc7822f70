// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package divide_test

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// A process is a program that a test started. It ends with the test.
type process struct {
	cmd    *exec.Cmd
	stderr bytes.Buffer  // read it after ended
	ended  chan struct{} // closed when the process has ended and all is read

	mu      sync.Mutex // guards what follows
	lines   []string   // of stdout
	changed chan struct{}
}

// startProcess starts a program and collects what it prints. What it wrote to
// stderr is logged where the test fails.
func startProcess(t testing.TB, path string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(path, args...), ended: make(chan struct{}), changed: make(chan struct{})}
	p.cmd.Stderr = &p.stderr
	dieWithUs(p.cmd)
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		p.read(stdout)
		p.cmd.Wait() //nolint:errcheck // ProcessState tells
	}()
	t.Cleanup(func() {
		p.signal(os.Kill)
		<-p.ended
		if t.Failed() {
			t.Logf("%s %s\nstdout: %q\nstderr:\n%s", path, strings.Join(args, " "), p.printed(), p.stderr.Bytes())
		}
	})
	return p
}

func (p *process) read(stdout io.Reader) {
	scanner := bufio.NewScanner(stdout)
	for scanner.Scan() {
		p.mu.Lock()
		p.lines = append(p.lines, scanner.Text())
		close(p.changed)
		p.changed = make(chan struct{})
		p.mu.Unlock()
	}
}

// printed returns the lines of stdout so far.
func (p *process) printed() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.lines)
}

// awaitLine waits for the first line from the given one on, counted from 0, that
// wanted accepts, and returns it and the number of the next. It fails the test
// if the process ends before.
func (p *process) awaitLine(t testing.TB, from int, wanted func(line string) bool) (line string, after int) {
	t.Helper()
	ctx := bounded(t)
	for ended := false; ; {
		p.mu.Lock()
		lines, changed := p.lines, p.changed
		p.mu.Unlock()
		for ; from < len(lines); from++ {
			if wanted(lines[from]) {
				return lines[from], from + 1
			}
		}
		if ended {
			t.Fatalf("%s ended (%v) before it printed what is awaited", p.cmd.Path, p.cmd.ProcessState)
		}
		select {
		case <-changed:
		case <-p.ended:
			ended = true // look once more
		case <-ctx.Done():
			t.Fatalf("%s printed %q, not what is awaited", p.cmd.Path, lines)
		}
	}
}

// await waits for a line with the prefix and returns the rest of it.
func (p *process) await(t testing.TB, prefix string) string {
	t.Helper()
	line, _ := p.awaitLine(t, 0, func(line string) bool { return strings.HasPrefix(line, prefix) })
	return line[len(prefix):]
}

// awaitLines waits until there are n lines and returns them.
func (p *process) awaitLines(t testing.TB, n int) []string {
	t.Helper()
	for from := range n {
		p.awaitLine(t, from, func(string) bool { return true })
	}
	return p.printed()[:n]
}

// wait waits for the end of the process and returns its exit status; -1: a
// signal ended it.
func (p *process) wait(t testing.TB) (status int) {
	t.Helper()
	select {
	case <-p.ended:
		return p.cmd.ProcessState.ExitCode()
	case <-bounded(t).Done():
		t.Fatalf("%s does not end", p.cmd.Path)
		return 0
	}
}

// kill ends the process without a word, as a crash would, and waits for its end.
func (p *process) kill() {
	p.signal(os.Kill)
	<-p.ended
}

// terminate asks the process to end.
func (p *process) terminate() { p.signal(syscall.SIGTERM) }

// interrupt asks the process to end, as Ctrl-C would.
func (p *process) interrupt() { p.signal(os.Interrupt) }

func (p *process) signal(s os.Signal) {
	p.cmd.Process.Signal(s) //nolint:errcheck // it may have ended already
}
