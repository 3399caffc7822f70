// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/zk/zktest"
)

// benchServer starts an echo server and returns its address.
func benchServer(t *testing.T, args ...string) (string, *running) {
	t.Helper()
	r := begin(t, append([]string{"bench", "serve", "--listen", "127.0.0.1:0"}, args...)...)
	go io.Copy(io.Discard, r.stderr) //nolint:errcheck // it ends with the command
	addr, ok := strings.CutPrefix(line(t, r.stdout), "serving on ")
	if !ok {
		t.Fatal("the first line does not say where it serves")
	}
	return addr, r
}

func TestBench(t *testing.T) {
	addr, server := benchServer(t)
	for _, size := range []string{"0", "1", "1024", "100000"} {
		var got result
		var fields map[string]*float64
		for _, window := range []string{"100ms", "1s", "10s"} { // no call may end within a short one where others keep the processors
			got = command(t, "bench", "run", "static://"+addr, "--connections", "2", "--callers", "5", "--size", size,
				"--duration", window, "--warmup", "10ms", "-o", "json")
			got.check(t, statusOK, nil, nil)
			if err := json.Unmarshal([]byte(got.stdout), &fields); err != nil {
				t.Fatalf("%v in %s", err, got.stdout)
			}
			if *fields["calls"] > 0 {
				break
			}
		}
		want := []string{"calls", "calls_per_s", "client_cpu_us_per_call", "errors", "max_us", "mb_per_s", "p50_us", "p999_us", "p99_us"}
		var names []string
		for name, value := range fields {
			names = append(names, name)
			if _, known := cpuSeconds(); name != "errors" && (name != "mb_per_s" || size != "0") && (known || name != "client_cpu_us_per_call") && (value == nil || *value <= 0) {
				t.Errorf("size %s: %s is not positive in %s", size, name, got.stdout)
			}
		}
		slices.Sort(names)
		if diff := cmp.Diff(want, names); diff != "" {
			t.Errorf("fields: want -, got +:\n%s", diff)
		}
		if *fields["errors"] != 0 {
			t.Errorf("size %s: %s", size, got.stdout)
		}
	}
	server.stop()
	if status := server.status(); status != statusOK {
		t.Errorf("the drained server's exit status is %d", status)
	}
}

// Two servers of one registry share the load.
func TestBenchRegistry(t *testing.T) {
	target := zktest.Start(t).Target("/bench")
	benchServer(t, "--registry", target)
	benchServer(t, "--registry", target)
	got := command(t, "bench", "run", target, "--callers", "4", "--duration", "100ms", "--warmup", "100ms")
	got.check(t, statusOK, []string{"calls ", "/s", "MB/s", "errors      0\n", "p50 ", "p99.9 ", "max ", "client CPU "}, nil)
}

// The calls of a server that has no such method fail, and so does the command.
func TestBenchErrors(t *testing.T) {
	other := serve(t, rollcall.ServerOptions{})
	got := command(t, "bench", "run", "static://"+other.addr, "--callers", "2", "--duration", "20ms", "--warmup", "0", "-o", "json")
	got.check(t, statusFailure, []string{`"calls":0,`, `"client_cpu_us_per_call":null`}, []string{"calls failed, the first: ", "Bench/Echo", "not handled here"})
	if strings.Contains(got.stdout, `"errors":0`) {
		t.Errorf("no errors are counted: %s", got.stdout)
	}
}

func TestBenchInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, addr := range map[string]string{"connecting": closedPort(t), "calling": serve(t, rollcall.ServerOptions{}).addr} {
		args := []string{"bench", "run", "static://" + addr}
		if got := run(ctx, args, strings.NewReader(""), io.Discard, io.Discard); got != statusFailure {
			t.Errorf("%s: exit status %d, want %d", name, got, statusFailure)
		}
	}
}

// A measurement that is interrupted says so, whether it has begun or not.
func TestBenchRunInterrupted(t *testing.T) {
	empty := zktest.Start(t).Target("/nobody")
	for _, target := range []string{empty, "static://" + serve(t, rollcall.ServerOptions{}).addr} {
		ctx, interrupt := context.WithCancel(t.Context())
		interrupt()
		var stdout, stderr bytes.Buffer
		status := run(ctx, []string{"bench", "run", target, "--callers", "1"}, strings.NewReader(""), &stdout, &stderr)
		result{status, stdout.String(), stderr.String()}.check(t, statusFailure, nil, []string{"rollcall: bench run: interrupted\n"})
	}
}

func TestBenchServeFails(t *testing.T) {
	taken := serve(t, rollcall.ServerOptions{}).addr
	command(t, "bench", "serve", "--listen", taken).check(t, statusFailure, nil, []string{"rollcall: bench serve: listen tcp " + taken})
}

func TestBenchUsage(t *testing.T) {
	const static = "static://127.0.0.1:1"
	for _, tt := range []struct {
		args []string
		want string
	}{
		{nil, "no command given"},
		{[]string{"sevre"}, `unknown command "sevre": did you mean serve?`},
		{[]string{"run"}, "TARGET is missing: give TARGET"},
		{[]string{"run", "nowhere"}, `target "nowhere": scheme`},
		{[]string{"run", static, "--connections", "0"}, `--connections "0": give a whole number from 1 to 10000`},
		{[]string{"run", static, "--callers", "many"}, `--callers "many": give a whole number from 1 to 100000`},
		{[]string{"run", static, "--size", "-1"}, `--size "-1": give a whole number from 0 to 4194304`},
		{[]string{"run", static, "--size", "4194305"}, `--size "4194305": give`},
		{[]string{"run", static, "--duration", "0"}, `--duration "0": give a duration of at least 1ms`},
		{[]string{"run", static, "--warmup", "-1s"}, `--warmup "-1s": give a duration such as`},
		{[]string{"run", static, "-o", "xml"}, `--output "xml": give table or json`},
		{[]string{"run", static, "--connections", "8", "--callers", "7"}, "--callers 7: give at least --connections, which is 8"},
		{[]string{"run", static, "--callers", "1000", "--size", "4194304"}, "--callers 1000: give at most 256 where --size is 4194304"},
		{[]string{"serve", "x"}, `argument "x": this command takes none`},
		{[]string{"serve", "--listen", "8001"}, `--listen "8001": give HOST:PORT`},
		{[]string{"serve", "--registry", static}, `--registry "static://127.0.0.1:1": a server registers with zk://`},
		{[]string{"serve", "--registry", ""}, `--registry "": `},
		{[]string{"serve", "--registry", "zk://x"}, `--registry "zk://x": `},
	} {
		got := command(t, append([]string{"bench"}, tt.args...)...)
		got.check(t, statusUsage, nil, []string{tt.want, `see "rollcall bench`})
	}
}
