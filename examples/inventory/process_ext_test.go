// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package inventory_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience bounds every wait. None is waited out but by a test that fails.
const patience = 30 * time.Second

// within returns a context for waiting.
func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// build builds the programs and returns their directory.
func build(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", dir, "./server", "./front", "../../cmd/rollcall").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return dir
}

// A line of a program's log.
type line map[string]any

func (l line) text(key string) string { return fmt.Sprint(l[key]) }

// A process is a program that a test started. It ends with the test.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has ended and all is read

	mu      sync.Mutex // guards what follows
	lines   []line
	other   []string // lines of stderr that are no JSON
	changed chan struct{}
}

// start starts a program and reads its log.
func start(t testing.TB, path string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(path, args...), ended: make(chan struct{}), changed: make(chan struct{})}
	dieWithUs(p.cmd)
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		p.read(stderr)
		p.cmd.Wait() //nolint:errcheck // ProcessState tells
	}()
	t.Cleanup(func() {
		p.signal(os.Kill)
		<-p.ended
		if !t.Failed() {
			return
		}
		t.Logf("%s %s: %v, %q", filepath.Base(path), strings.Join(args, " "), p.cmd.ProcessState, p.other)
		for _, l := range p.lines {
			if l.text("msg") != "call" && l.text("msg") != "reserved" {
				t.Log(l)
			}
		}
	})
	return p
}

func (p *process) read(stderr io.Reader) {
	scanner := bufio.NewScanner(stderr)
	for scanner.Scan() {
		var l line
		err := json.Unmarshal(scanner.Bytes(), &l)
		p.mu.Lock()
		if err == nil {
			p.lines = append(p.lines, l)
		} else {
			p.other = append(p.other, scanner.Text())
		}
		close(p.changed)
		p.changed = make(chan struct{})
		p.mu.Unlock()
	}
}

// logged returns the lines so far that say msg, and a channel that is closed when
// there are more.
func (p *process) logged(msg string) ([]line, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(p.lines), func(l line) bool { return l.text("msg") != msg }), p.changed
}

// await waits for a line that says msg and that ok accepts.
func (p *process) await(t testing.TB, msg string, ok func(line) bool) line {
	t.Helper()
	ctx := within(t)
	for ended := false; ; {
		lines, changed := p.logged(msg)
		if i := slices.IndexFunc(lines, ok); i >= 0 {
			return lines[i]
		}
		if ended {
			t.Fatalf("%s has ended (%v) and not logged %q", p.cmd.Path, p.cmd.ProcessState, msg)
		}
		select {
		case <-changed:
		case <-p.ended:
			ended = true // look once more
		case <-ctx.Done():
			t.Fatalf("%s does not log %q", p.cmd.Path, msg)
		}
	}
}

// address waits for the address that the program logs with msg.
func (p *process) address(t testing.TB, msg string) string {
	t.Helper()
	return p.await(t, msg, func(line) bool { return true }).text("address")
}

// status waits for the end of the process and returns its exit status; -1: a signal
// ended it.
func (p *process) status(t testing.TB) int {
	t.Helper()
	select {
	case <-p.ended:
		return p.cmd.ProcessState.ExitCode()
	case <-within(t).Done():
		t.Fatalf("%s does not end", p.cmd.Path)
		return 0
	}
}

func (p *process) signal(s os.Signal) {
	p.cmd.Process.Signal(s) //nolint:errcheck // it may have ended already
}
