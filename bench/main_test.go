// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rollcall-rpc/rollcall/bench/internal/echo"
	"github.com/rollcall-rpc/rollcall/internal/realtest"
)

// TestMain lets the test binary be the processes that bench starts.
func TestMain(m *testing.M) {
	if child := childOf(os.Args[1:]); child != nil {
		os.Exit(runChild(context.Background(), child, os.Args[2:]))
	}
	if len(os.Args) > 1 && servesRegistry(os.Args[1]) {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		os.Exit(runRegistryServer(ctx, os.Args[1], os.Args[2:]))
	}
	if os.Getenv("GORACE") == "" { // a race-detecting process lingers for 1 s at its end
		os.Setenv("GORACE", "atexit_sleep_ms=0")
	}
	os.Exit(m.Run())
}

// benchJSON runs one command line in its own processes.
func benchJSON(t *testing.T, args ...string) *report {
	t.Helper()
	var out, progress bytes.Buffer
	args = append(args, "-o", "json", "-runs", "1", "-duration", "500ms", "-warmup", "50ms")
	if status := run(t.Context(), args, &out, &progress); status != statusOK {
		t.Fatalf("status %d: %s", status, progress.String())
	}
	var rep report
	if err := json.Unmarshal(out.Bytes(), &rep); err != nil {
		t.Fatalf("%v in %s", err, out.String())
	}
	return &rep
}

// TestSystems measures every system in two processes, briefly.
func TestSystems(t *testing.T) {
	rep := benchJSON(t, "-workloads", "A,B")
	want := 2*len(echo.All()) - 1 // r1 has no B
	if len(rep.Cells) != want {
		t.Errorf("got %d cells, want %d", len(rep.Cells), want)
	}
	for _, c := range rep.Cells {
		if c.Calls == 0 || c.CallsPerS <= 0 || c.P50US <= 0 || c.P99US < c.P50US || c.MaxUS < c.P999US {
			t.Errorf("%s, %s: %+v", c.System, c.Workload, c)
		}
		if cpuSeconds() > 0 && (c.ClientCPUUS <= 0 || c.ServerCPUUS <= 0) {
			t.Errorf("%s, %s: no CPU time in %+v", c.System, c.Workload, c)
		}
	}
}

// TestBaselinesDoNotAllocate holds what the table says of them.
func TestBaselinesDoNotAllocate(t *testing.T) {
	for _, c := range benchJSON(t, "-workloads", "B", "-systems", "r2y").Cells {
		if c.ClientAllocs > 0.5 {
			t.Errorf("%s allocates %.2f times per call, want 0", c.System, c.ClientAllocs)
		}
	}
}

// TestAgainst measures this checkout beside itself.
func TestAgainst(t *testing.T) {
	rep := benchJSON(t, "-workloads", "A", "-against", "..")
	var measured []string
	for _, c := range rep.Cells {
		measured = append(measured, c.System)
	}
	if got, want := strings.Join(measured, ","), "rollcall,rollcall there"; got != want {
		t.Errorf("measured %s, want %s", got, want)
	}
	if len(rep.Versus) != 1 || rep.Versus[0].Beside != "rollcall" || rep.Versus[0].Better["A p50 µs"] == nil {
		t.Errorf("got %+v, want one line, with a ratio", rep.Versus)
	}
}

func TestAgainstNothing(t *testing.T) {
	var out, errs bytes.Buffer
	dir := t.TempDir()
	if status := run(t.Context(), []string{"-against", dir}, &out, &errs); status != statusFailure || !strings.Contains(errs.String(), fmt.Sprintf("-against %q: give the root of a checkout", dir)) {
		t.Errorf("got status %d, %q", status, errs.String())
	}
}

func TestProfiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	benchJSON(t, "-workloads", "A", "-systems", "net/rpc", "-cpuprofile", dir)
	for _, side := range []string{"client", "server"} {
		info, err := os.Stat(filepath.Join(dir, "netrpc-A-1-"+side+".pprof"))
		if err != nil || info.Size() == 0 {
			t.Errorf("profile of the %s: %v", side, err)
		}
	}
}

func TestHot(t *testing.T) {
	stop, err := keepAwake(t.Context())
	realtest.Require(t, "a way to keep cores from halting", err == nil, fmt.Sprint(err))
	stop()
}

// TestChildFails has a child end early: its complaint is what bench reports.
func TestChildFails(t *testing.T) {
	c, err := startChild(t.Context(), "server", spec{System: "nobody"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = c.line(); err == nil || !strings.Contains(err.Error(), `system "nobody"`) {
		t.Errorf("got %v, want the child's complaint", err)
	}
}

// TestUsage gives wrong command lines: the message names flag, value and fix.
func TestUsage(t *testing.T) {
	cases := []struct{ args, want string }{
		{"-runs 0", "-runs 0: give at least 1"},
		{"-duration -1s", "-duration -1s: give a positive"},
		{"-duration soon", `"soon"`},
		{"-warmup -1s", "-warmup -1s: give 0 or more"},
		{"-workloads A,F", `-workloads: workload "F": give some of A,B,C,D,E`},
		{"-systems r1,cobra", `-systems: system "cobra": give some of r1,r2y`},
		{"-o yaml", `-o "yaml": give markdown, table or json`},
		{"fast", `argument "fast": give flags only`},
		{"-what", "-what"},
	}
	for _, c := range cases {
		var out, errs bytes.Buffer
		if status := run(t.Context(), strings.Fields(c.args), &out, &errs); status != statusUsage {
			t.Errorf("%s: got status %d, want %d", c.args, status, statusUsage)
		}
		if !strings.Contains(errs.String(), c.want) || out.Len() > 0 {
			t.Errorf("%s: got %q, want %q on stderr", c.args, errs.String(), c.want)
		}
	}
}

func TestHelp(t *testing.T) {
	var out, errs bytes.Buffer
	if status := run(t.Context(), []string{"-h"}, &out, &errs); status != statusOK || !strings.Contains(errs.String(), "-cpuprofile directory") {
		t.Errorf("got status %d, %q", status, errs.String())
	}
}
