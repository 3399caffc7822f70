// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/rollcall-rpc/rollcall"
)

// asCommand makes this test binary the command itself, for tests that need a
// process.
const asCommand = "ROLLCALL_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
	}
	if os.Getenv(asRolloutServer) != "" {
		runRolloutServer()
	}
	os.Unsetenv(environmentTarget)
	os.Exit(m.Run())
}

// A result is what a command line came to.
type result struct {
	status         int
	stdout, stderr string
}

// command runs a command line in this process.
func command(t *testing.T, args ...string) result {
	t.Helper()
	return commandWithInput(t, "", args...)
}

func commandWithInput(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	status := run(t.Context(), args, strings.NewReader(stdin), &stdout, &stderr)
	return result{status, stdout.String(), stderr.String()}
}

// check compares the status, and looks for words on stdout and stderr.
func (r result) check(t *testing.T, status int, stdout, stderr []string) {
	t.Helper()
	if r.status != status {
		t.Errorf("exit status %d, want %d", r.status, status)
	}
	for _, want := range stdout {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("stdout lacks %q", want)
		}
	}
	for _, want := range stderr {
		if !strings.Contains(r.stderr, want) {
			t.Errorf("stderr lacks %q", want)
		}
	}
	if len(stderr) == 0 && r.stderr != "" {
		t.Errorf("stderr should be empty")
	}
	if t.Failed() {
		t.Logf("stdout:\n%s\nstderr:\n%s", r.stdout, r.stderr)
	}
}

// A running command prints into pipes that are read line by line.
type running struct {
	stdout, stderr *bufio.Reader
	stop           context.CancelFunc
	status         func() int // waits for the end
}

// begin runs a command line in the background until the test ends. Both outputs
// are to be read, or the command waits.
func begin(t *testing.T, args ...string) *running {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	outRead, outWrite := io.Pipe()
	errRead, errWrite := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, args, strings.NewReader(""), outWrite, errWrite)
		outWrite.Close()
		errWrite.Close()
	}()
	status := sync.OnceValue(func() int {
		go io.Copy(io.Discard, outRead) //nolint:errcheck // it ends with the command
		go io.Copy(io.Discard, errRead) //nolint:errcheck // it ends with the command
		return <-ended
	})
	t.Cleanup(func() {
		stop()
		status()
	})
	return &running{bufio.NewReader(outRead), bufio.NewReader(errRead), stop, status}
}

// line returns the next line; a command that ended has none.
func line(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	text, err := r.ReadString('\n')
	if err != nil {
		t.Fatalf("no further line: %q, %v", text, err)
	}
	return strings.TrimSuffix(text, "\n")
}

// A server of a test serves the demonstration's method, and some more.
type server struct {
	addr, entry string
	stop        func() // kills it, in the way of Close
}

type note struct {
	Text string `json:"text"`
}

// serve starts a server that lasts until the test ends. An empty registry: it
// does not register.
func serve(t *testing.T, opts rollcall.ServerOptions) server {
	t.Helper()
	srv := rollcall.NewServer(opts)
	rollcall.Handle(srv, divideMethod, divide)
	rollcall.Handle(srv, rollcall.Method[struct{}, struct{}]{Name: "Test/Wait"}, func(ctx context.Context, _ *struct{}) (*struct{}, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	rollcall.Handle(srv, rollcall.Method[struct{}, note]{Name: "Test/Metadata"}, func(ctx context.Context, _ *struct{}) (*note, error) {
		info, _ := rollcall.InfoFromContext(ctx)
		return &note{info.Metadata["user"] + " " + info.Metadata["empty"] + "\n"}, nil
	})
	rollcall.Handle(srv, rollcall.Method[struct{}, struct{}]{Name: "Test/Escape"}, func(context.Context, *struct{}) (*struct{}, error) {
		return nil, rollcall.Errorf(rollcall.CodeInternal, "\x1b[31m", "first\n\x1b[2Jsecond")
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(context.Background(), listener) }()
	stop := sync.OnceFunc(func() {
		srv.Close()
		<-served //nolint:errcheck // it was closed
	})
	t.Cleanup(stop)
	s := server{addr: listener.Addr().String(), stop: stop}
	if opts.Registry != "" {
		if s.entry, err = srv.Registered(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// closedPort returns an address that refuses connections.
func closedPort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}
