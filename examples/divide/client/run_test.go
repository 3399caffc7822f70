// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"testing"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/examples/divide"
	"github.com/rollcall-rpc/rollcall/examples/divide/internal/cli"
)

func TestUsage(t *testing.T) {
	tests := []struct {
		args   string
		status int
		says   string // on stdout with status 0, else on stderr
	}{
		{"--help", cli.StatusOK, "client -registry zk://127.0.0.1:2181/rpc -n 50 -interval 1s"},
		{"-h", cli.StatusOK, "round_robin"},
		{"-registry zk://127.0.0.1:2181", cli.StatusUsage, "zk://127.0.0.1:2181"},
		{"-n -1", cli.StatusUsage, "-n -1"},
		{"-n many", cli.StatusUsage, "many"},
		{"-interval -1s", cli.StatusUsage, "-interval -1s"},
		{"-timeout -1s", cli.StatusUsage, "-timeout -1s"},
		{"-balance worst", cli.StatusUsage, `-balance: balancer: policy "worst"`},
		{"divide", cli.StatusUsage, `"divide"`},
		{"-nonsense", cli.StatusUsage, "-nonsense"},
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

// startServer serves h in the divide format until the test ends.
func startServer(t *testing.T, h func(context.Context, *divide.Fraction) (*divide.Quotient, error)) (addr string) {
	t.Helper()
	srv := rollcall.NewServer(rollcall.ServerOptions{Protocols: []rollcall.Protocol{divide.Protocol()}, Logger: slog.New(slog.DiscardHandler)})
	rollcall.Handle(srv, divide.Divide, h)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	result := make(chan error, 1)
	go func() { result <- srv.Serve(context.Background(), l) }()
	t.Cleanup(func() {
		srv.Close()
		if err := <-result; !errors.Is(err, rollcall.ErrServerClosed) {
			t.Errorf("Serve = %v, want ErrServerClosed", err)
		}
	})
	return l.Addr().String()
}

// runAgainst runs the client against a static list and returns what it prints.
func runAgainst(t *testing.T, ctx context.Context, addr, args string) (status int, stdout string) {
	t.Helper()
	var out strings.Builder
	status = run(ctx, append([]string{"-registry", "static://" + addr, "-interval", "0s"}, strings.Fields(args)...), &out, t.Output())
	return status, out.String()
}

func TestLines(t *testing.T) {
	addr := startServer(t, func(_ context.Context, f *divide.Fraction) (*divide.Quotient, error) {
		if f.Num2 != nil {
			return divide.Handler(t.Context(), f)
		}
		values := []float32{0, 1.0 / 3, -2.5, 1e-9, 2147483648}
		return &divide.Quotient{Value: values[f.Num1]}, nil
	})
	status, stdout := runAgainst(t, t.Context(), addr, "-n 5")
	want := strings.ReplaceAll("A 0\nA 0.33333334\nA -2.5\nA 0.000000001\nA 2147483600\n", "A", addr)
	if status != cli.StatusOK || stdout != want {
		t.Errorf("run = %d, %q, want 0, %q", status, stdout, want)
	}
	status, stdout = runAgainst(t, t.Context(), addr, "-n 2 -zero -balance round_robin")
	want = strings.Repeat(addr+" error: invalid operation\n", 2)
	if status != cli.StatusOK || stdout != want {
		t.Errorf("run -zero = %d, %q, want 0, %q", status, stdout, want)
	}
}

// TestFailedCall finds no server, once, and goes on.
func TestFailedCall(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	status, stdout := runAgainst(t, t.Context(), addr, "-n 2 -timeout 50ms")
	lines := strings.Split(strings.TrimSuffix(stdout, "\n"), "\n")
	if status != cli.StatusFailed || len(lines) != 2 {
		t.Fatalf("run = %d, %q, want 1 and two lines", status, stdout)
	}
	for _, line := range lines {
		if !strings.HasPrefix(line, "- error: ") || !strings.Contains(line, addr) {
			t.Errorf("line %q, want \"- error: \" and the address that refused", line)
		}
	}
}

// TestTargetsThatCannotBeParsed tells which part is wrong, and the fix.
func TestTargetsThatCannotBeParsed(t *testing.T) {
	for target, want := range map[string]string{
		"nowhere":          `scheme "nowhere": write zk://`,
		"http://h:1/rpc":   `scheme "http"`,
		"zk://h/rpc":       `host "h": write host:port`,
		"zk://h:99999/x":   `port "h:99999": a port is a number from 1 to 65535`,
		"zk://h:1/a//b":    `path "/a//b": a path has no empty name`,
		"static://h:1/rpc": `path "/rpc": a static target has no path`,
	} {
		var stdout, stderr strings.Builder
		if status := run(t.Context(), []string{"-registry", target}, &stdout, &stderr); status != cli.StatusUsage || !strings.Contains(stderr.String(), want) {
			t.Errorf("run -registry %s = %d, stderr %q, want %d and %q", target, status, stderr.String(), cli.StatusUsage, want)
		}
	}
}

// TestRegistryThatDoesNotAnswer names it in each failed call's line, and once in
// the log.
func TestRegistryThatDoesNotAnswer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	target := "zk://" + l.Addr().String() + "/rpc"
	var stdout, stderr strings.Builder
	status := run(t.Context(), strings.Fields("-registry "+target+" -n 3 -interval 0s -timeout 300ms"), &stdout, &stderr)
	lines := strings.Split(strings.TrimSuffix(stdout.String(), "\n"), "\n")
	if status != cli.StatusFailed || len(lines) != 3 {
		t.Fatalf("run = %d, %q, want 1 and three lines", status, stdout.String())
	}
	for _, line := range lines {
		if !strings.HasPrefix(line, "- error: ") || !strings.Contains(line, target) || !strings.Contains(line, "refused") {
			t.Errorf("line %q, want the registry and the reason", line)
		}
	}
	if n := strings.Count(stderr.String(), "level=WARN"); n != 1 || !strings.Contains(stderr.String(), target) {
		t.Errorf("%d warnings, want one that names %s:\n%s", n, target, stderr.String())
	}
}
