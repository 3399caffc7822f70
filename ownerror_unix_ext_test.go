// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package rollcall_test

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/balancer"
)

// poorVar is the environment variable with the servers for [TestPoorProcess].
const poorVar = "ROLLCALL_TEST_POOR"

// A process that has no descriptor left, with real sockets, calls whom it is connected
// to, makes room for whom it must call, and holds nobody for down. It is a child of
// this one, which TestPoorProcess is in.
func TestProcessOutOfDescriptors(t *testing.T) {
	only(t, "it is a process of its own", "tcp")
	var addrs []string
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		s := start(t, "", rollcall.ServerOptions{ID: name}, func(s *rollcall.Server) { rollcall.Handle(s, divide, divideOn(name)) })
		_, port, _ := net.SplitHostPort(s.addr)
		addrs = append(addrs, net.JoinHostPort("localhost", port)) // a name, which needs files to be resolved
	}
	cmd := exec.CommandContext(within(t), must(os.Executable()), "-test.run=^TestPoorProcess$", "-test.count=1")
	cmd.Env = append(os.Environ(), poorVar+"="+strings.Join(addrs, ","))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestPoorProcess is what happens in the child process of [TestProcessOutOfDescriptors].
func TestPoorProcess(t *testing.T) {
	servers := os.Getenv(poorVar)
	if servers == "" {
		t.Skip("it is a part of another test")
	}
	addrs := strings.Split(servers, ",")
	c := clientAt(t, servers, rollcall.ClientOptions{Balancing: balancer.Options{Policy: balancer.RoundRobin}})
	call := func(addr string) error {
		_, err := divide.CallWith(within(t), c, &fraction{Num2: 1}, rollcall.CallOptions{Instance: addr})
		return err
	}
	for _, addr := range addrs[:3] {
		if err := call(addr); err != nil {
			t.Fatal(err)
		}
	}
	free := exhaust(t)
	for range 1000 {
		if err := call(""); err != nil {
			t.Fatalf("connected to three: %v", err)
		}
	}
	for range 3 {
		for _, addr := range addrs {
			if err := call(addr); err != nil {
				t.Errorf("it must be %s: %v", addr, err)
			}
		}
	}
	// A client without a connection to close says what is the matter.
	poorer := clientAt(t, servers, rollcall.ClientOptions{})
	_, err := divide.Call(within(t), poorer, &fraction{Num2: 1})
	wantError(t, err, rollcall.CodeUnavailable, rollcall.ReasonConnection, rollcall.ExecutedNo, "this process has no descriptor left: ")
	if !errors.Is(err, syscall.EMFILE) {
		t.Errorf("%v is not %v", err, syscall.EMFILE)
	}
	for _, c := range []*rollcall.Client{c, poorer} {
		if counts := c.Snapshot().Counts; counts.Usable != len(addrs) {
			t.Errorf("got %v, want %d usable", counts, len(addrs))
		}
	}
	free()
	if _, err := divide.Call(context.Background(), poorer, &fraction{Num2: 1}); err != nil {
		t.Errorf("with descriptors again: %v", err)
	}
}

// exhaust takes all descriptors that the process may have; free gives them back.
func exhaust(t *testing.T) (free func()) {
	t.Helper()
	limit := syscall.Rlimit{Cur: 64, Max: 64}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	var taken []*os.File
	for {
		f, err := os.Open(os.DevNull)
		if errors.Is(err, syscall.EMFILE) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		taken = append(taken, f)
	}
	return func() {
		for _, f := range taken {
			f.Close()
		}
	}
}
