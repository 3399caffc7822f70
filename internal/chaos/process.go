// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
)

// A process is one that was started, and the lines that it prints.
type process struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	lines chan string // of its stdout; what nobody reads is dropped

	exited chan struct{} // closed when it has ended
	err    error         // set before; nil: status 0
}

// keptLines is how many lines may wait to be read.
const keptLines = 64

// start starts a command. Whoever gets the process ends it with kill.
func start(argv []string, stderr io.Writer, attrs ...func(*exec.Cmd)) (*process, error) {
	p := &process{lines: make(chan string, keptLines), exited: make(chan struct{})}
	p.cmd = exec.Command(argv[0], argv[1:]...) //nolint:gosec,noctx // that is what it is for; kill ends it
	p.cmd.Stderr = stderr
	ownProcess(p.cmd)
	for _, attr := range attrs {
		attr(p.cmd)
	}
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go p.read(stdout) // kill waits for it
	return p, nil
}

// read reads what the process prints until it ends.
func (p *process) read(stdout io.Reader) {
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		select {
		case p.lines <- lines.Text():
		default:
		}
	}
	io.Copy(io.Discard, stdout) //nolint:errcheck // a line too long ends the Scanner, not the process
	p.err = p.cmd.Wait()
	close(p.exited)
}

// expect waits for a line that begins with prefix and returns the rest of it.
func (p *process) expect(ctx context.Context, prefix string) (string, error) {
	for {
		select {
		case line := <-p.lines:
			if rest, ok := strings.CutPrefix(line, prefix); ok {
				return rest, nil
			}
		case <-p.exited:
			return "", fmt.Errorf("%s ended before it said %q: %w", p.name(), prefix, p.ending())
		case <-ctx.Done():
			return "", fmt.Errorf("%s has not said %q: %w", p.name(), prefix, context.Cause(ctx))
		}
	}
}

// order sends a line and waits until it is acknowledged.
func (p *process) order(ctx context.Context, line string) error {
	_, err := p.ask(ctx, line)
	return err
}

// ask sends a line and returns what is said behind the acknowledgement.
func (p *process) ask(ctx context.Context, line string) (string, error) {
	if _, err := io.WriteString(p.stdin, line+"\n"); err != nil {
		return "", fmt.Errorf("%s: %q: %w", p.name(), line, err)
	}
	return p.expect(ctx, acknowledged)
}

// await waits for the end of the process.
func (p *process) await(ctx context.Context) error {
	select {
	case <-p.exited:
		return p.err
	case <-ctx.Done():
		return fmt.Errorf("%s does not end: %w", p.name(), context.Cause(ctx))
	}
}

func (p *process) signal(s os.Signal) error { return p.cmd.Process.Signal(s) }

// kill ends the process, and what it has started, and returns when it is gone.
func (p *process) kill() {
	killGroup(p.cmd)
	<-p.exited
	p.stdin.Close() // nobody reads it any more
}

func (p *process) name() string {
	return fmt.Sprintf("process %d (%s)", p.cmd.Process.Pid, p.cmd.Args[0])
}

// ending is why the process ended; call it after that.
func (p *process) ending() error {
	if p.err != nil {
		return p.err
	}
	return errors.New("exit status 0")
}

// A serialWriter lets several processes write to what is for one.
type serialWriter struct {
	mu sync.Mutex // guards w
	w  io.Writer
}

func (s *serialWriter) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Write(b)
}
