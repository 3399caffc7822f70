// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime/pprof"
	"strings"

	"github.com/rollcall-rpc/rollcall/bench/internal/echo"
)

// The processes of a measurement are this binary again, with one of these words
// and a spec in JSON.
func childOf(args []string) func(context.Context, *spec) error {
	if len(args) == 0 {
		return nil
	}
	switch args[0] {
	case "client":
		return runClient
	case "server":
		return runServer
	case "spin":
		return runSpinners
	}
	return nil
}

func runChild(ctx context.Context, f func(context.Context, *spec) error, args []string) int {
	var todo spec
	err := errors.New("give a spec in JSON; this command is bench's own")
	if len(args) == 1 {
		err = json.Unmarshal([]byte(args[0]), &todo)
	}
	if err == nil {
		err = f(ctx, &todo)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return statusFailure
	}
	return statusOK
}

// A child is a process of ours. It ends when its stdin does.
type child struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout *bufio.Reader
	stderr strings.Builder
}

func startChild(ctx context.Context, what string, todo any) (*child, error) {
	executable, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return startProgram(ctx, executable, what, todo)
}

// startProgram starts a child of another bench.
func startProgram(ctx context.Context, executable, what string, todo any) (*child, error) {
	arg, err := json.Marshal(todo)
	if err != nil {
		return nil, err
	}
	c := &child{cmd: exec.CommandContext(ctx, executable, what, string(arg))} //nolint:gosec // it is this program, or was built of one like it
	c.cmd.Stderr = &c.stderr
	c.stdin, err = c.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.stdout = bufio.NewReader(stdout)
	return c, c.cmd.Start()
}

// line returns the next line that the child prints.
func (c *child) line() (string, error) {
	line, err := c.stdout.ReadString('\n')
	if err != nil {
		return "", errors.Join(err, c.end())
	}
	return strings.TrimSpace(line), nil
}

// ask sends a line and returns the answer.
func (c *child) ask(question string) (string, error) {
	if _, err := fmt.Fprintln(c.stdin, question); err != nil {
		return "", err
	}
	return c.line()
}

// end lets the child end, and returns what it complained about.
func (c *child) end() error {
	c.stdin.Close() // it is closed in any case
	err := c.cmd.Wait()
	if said := strings.TrimSpace(c.stderr.String()); err != nil && said != "" {
		return errors.New(said)
	}
	return err
}

// runServer is the server process. It prints its address and then, for each
// line of stdin, its CPU time in seconds; "begin" and "end" are the edges of
// the profile. It ends with stdin.
func runServer(ctx context.Context, todo *spec) error {
	systems, err := echo.Find(todo.System)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- systems[0].Serve(ctx, l) }()
	fmt.Println(l.Addr())
	err = answerCPU(todo.Profile)
	cancel()
	return errors.Join(err, <-served)
}

func answerCPU(profile string) error {
	stop := func() error { return nil }
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var err error
		switch lines.Text() {
		case "begin":
			stop, err = startProfile(profile, "server")
		case "end":
			err = stop()
		}
		if err != nil {
			return err
		}
		fmt.Println(cpuSeconds())
	}
	return nil
}

// startProfile profiles this process until stop is called.
func startProfile(prefix, side string) (stop func() error, err error) {
	if prefix == "" {
		return func() error { return nil }, nil
	}
	f, err := os.Create(prefix + "-" + side + ".pprof") //nolint:gosec // the user names the place
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return f.Close()
	}, nil
}
