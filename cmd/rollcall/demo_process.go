// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"time"
)

// A process is one server of the demonstration: a process of its own, as in
// production.
type process struct {
	wanted string // the port it should serve on
	name   string // the port it serves on; people call it so
	addr   string
	cmd    *exec.Cmd
	stdin  io.Closer // its end ends the server

	exited   chan struct{} // closed when the process has ended
	exitedAt time.Time     // these two are set before
	exitErr  error         // nil: status 0
}

// startProcess starts a server and waits until it listens. Whatever happens,
// the process that it returns, if any, is to be ended with end.
func startProcess(ctx context.Context, executable, registry, port string, stderr io.Writer) (*process, error) {
	p := &process{wanted: port, exited: make(chan struct{})}
	p.cmd = exec.Command(executable, "demo-server", "--registry", registry, "--listen", net.JoinHostPort(loopback, port)) //nolint:gosec,noctx // it is this program; end ends it
	p.cmd.Stderr = stderr
	dieWithUs(p.cmd)
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	p.stdin = stdin
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	serving := make(chan string, 1)
	go p.wait(stdout, serving) // end awaits it
	select {
	case p.addr = <-serving:
		_, p.name, err = net.SplitHostPort(p.addr)
		return p, err
	case <-p.exited:
		return p, fmt.Errorf("the server for port %s ended before it served: %v", port, p.exitErr) //nolint:errorlint // nil where the status is 0
	case <-ctx.Done():
		return p, fmt.Errorf("the server for port %s does not serve yet: %w", port, context.Cause(ctx))
	}
}

// wait reads what the process prints until it ends.
func (p *process) wait(stdout io.Reader, serving chan<- string) {
	lines := bufio.NewReader(stdout)
	if line, err := lines.ReadString('\n'); err == nil {
		if addr, ok := strings.CutPrefix(line, "serving "); ok {
			serving <- strings.TrimSpace(addr)
		}
	}
	io.Copy(io.Discard, lines) //nolint:errcheck // it ends with the process
	p.exitErr = p.cmd.Wait()
	p.exitedAt = time.Now()
	close(p.exited)
}

func (p *process) pid() int { return p.cmd.Process.Pid }

func (p *process) signal(s os.Signal) error { return p.cmd.Process.Signal(s) }

// end kills the process, if it is there, and returns when it is not.
func (p *process) end() {
	p.cmd.Process.Kill() //nolint:errcheck // it has ended then
	<-p.exited
	p.stdin.Close() // nobody reads it any more
}
