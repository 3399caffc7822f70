// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net"
	"strings"
	"testing"

	"github.com/rollcall-rpc/rollcall/examples/divide/internal/cli"
)

func TestUsage(t *testing.T) {
	tests := []struct {
		args   string
		status int
		says   string // on stdout with status 0, else on stderr
	}{
		{"--help", cli.StatusOK, "server -registry zk://127.0.0.1:2181/rpc 127.0.0.1 8001"},
		{"-h", cli.StatusOK, "-drain-delay"},
		{"", cli.StatusUsage, "HOST and PORT"},
		{"127.0.0.1", cli.StatusUsage, "HOST and PORT"},
		{"127.0.0.1 8001 8002", cli.StatusUsage, "HOST and PORT"},
		{"127.0.0.1 http", cli.StatusUsage, `PORT "http"`},
		{"127.0.0.1 65536", cli.StatusUsage, `PORT "65536"`},
		{"127.0.0.1 -1", cli.StatusUsage, `PORT "-1"`},
		{"-registry nowhere 127.0.0.1 0", cli.StatusUsage, `scheme "nowhere"`},
		{"-registry static://127.0.0.1:1 127.0.0.1 0", cli.StatusUsage, "static://127.0.0.1:1"},
		{"-drain-delay -1s 127.0.0.1 0", cli.StatusUsage, "-drain-delay -1s"},
		{"-drain-delay soon 127.0.0.1 0", cli.StatusUsage, "drain-delay"},
		{"-session-timeout 0s 127.0.0.1 0", cli.StatusUsage, "-session-timeout 0s"},
		{"-nonsense", cli.StatusUsage, "-nonsense"},
		{"192.0.2.1 1", cli.StatusFailed, "192.0.2.1:1"}, // an address that no machine has
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			var stdout, stderr strings.Builder
			status := run(t.Context(), strings.Fields(tt.args), &stdout, &stderr)
			out, silent := stderr.String(), stdout.String()
			if tt.status == cli.StatusOK {
				out, silent = silent, out
			}
			if status != tt.status || !strings.Contains(out, tt.says) || silent != "" {
				t.Errorf("run = %d, stdout %q, stderr %q, want %d and %q", status, stdout.String(), stderr.String(), tt.status, tt.says)
			}
		})
	}
}

func TestDrainDelayOfZeroIsNone(t *testing.T) {
	var o options
	if _, done := o.parse(strings.Fields("-drain-delay 0s 127.0.0.1 0"), t.Output(), t.Output()); done {
		t.Fatal("the arguments were refused")
	}
	if o.drainDelay >= 0 { // 0 is the default of rollcall.ServerOptions
		t.Errorf("drainDelay = %v, want a negative one", o.drainDelay)
	}
}

func TestPortInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	var stdout, stderr strings.Builder
	status := run(t.Context(), []string{"127.0.0.1", port}, &stdout, &stderr)
	if status != cli.StatusFailed || stdout.String() != "" || !strings.Contains(stderr.String(), l.Addr().String()) || !strings.Contains(stderr.String(), "in use") {
		t.Errorf("run = %d, stdout %q, stderr %q, want %d and the port in use", status, stdout.String(), stderr.String(), cli.StatusFailed)
	}
}
