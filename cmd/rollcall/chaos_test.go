// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-rpc/rollcall/internal/chaos"
	"github.com/rollcall-rpc/rollcall/internal/realtest"
	"github.com/rollcall-rpc/rollcall/zk/zktest"
)

// chaosFor is a form of the suite that a busy machine bears: a little load, and
// patience.
var chaosFor = []string{"--rate", "200", "--callers", "10", "--duration", "600ms", "--max-wait", "20s"}

// runChaos runs the suite and returns what it reports.
func runChaos(t *testing.T, args ...string) (chaos.Report, result) {
	t.Helper()
	got := command(t, append([]string{"chaos", "-o", "json"}, args...)...)
	var report chaos.Report
	if err := json.Unmarshal([]byte(got.stdout), &report); err != nil {
		t.Fatalf("%v: %s%s", err, got.stdout, got.stderr)
	}
	return report, got
}

// checkChaos holds a run against its promises: all scenarios are played, and
// none breaks one.
func checkChaos(t *testing.T, scenarios []string, args ...string) {
	t.Helper()
	report, got := runChaos(t, append(args, "--only", strings.Join(scenarios, ","))...)
	if got.status != statusOK || got.stderr != "" {
		t.Errorf("exit status %d, stderr %s", got.status, got.stderr)
	}
	if len(report.Rows) != len(scenarios) {
		t.Errorf("%d rows, want %d", len(report.Rows), len(scenarios))
	}
	for _, row := range report.Rows {
		var text bytes.Buffer
		row.Print(&text)
		t.Log(strings.TrimSuffix(text.String(), "\n"))
		if row.Skipped != "" || row.Calls == 0 || row.Window.Calls == 0 || row.Before.Calls == 0 || row.Right == nil {
			t.Errorf("%s was not played to its end", row.Scenario)
		}
	}
}

// asCommandHere has processes that this one starts be the command.
func asCommandHere(t *testing.T) {
	t.Helper()
	if err := os.Setenv(asCommand, "1"); err != nil { // t.Setenv forbids parallel tests; the value is the same for all
		t.Fatal(err)
	}
}

func TestChaos(t *testing.T) {
	asCommandHere(t)
	t.Parallel()
	checkChaos(t, []string{"kill", "stop", "rolling", "refuse", "blackhole", "registry-kill"}, chaosFor...)
}

func TestChaosApache(t *testing.T) {
	asCommandHere(t)
	t.Parallel()
	member := realtest.Members(t, 1)[0]
	checkChaos(t, []string{"kill", "registry-kill", "registry-empty"}, append(chaosFor, "--ensemble", member.Addr+"="+member.Command)...)
}

// A registry that is there is used beside what it holds, and left as it was.
func TestChaosRegistry(t *testing.T) {
	asCommandHere(t)
	t.Parallel()
	registry := zktest.Start(t)
	checkChaos(t, []string{"calm"}, append(chaosFor, "--registry", registry.Target("/rpc"))...)
	command(t, "zk", "ls", registry.Target("/")).check(t, statusOK, nil, nil)
	if got := command(t, "zk", "ls", registry.Target("/")); strings.Contains(got.stdout, "chaos") {
		t.Errorf("the registry holds %s", got.stdout)
	}
}

// All of it with the load and the limits of its defaults, on each registry.
func TestChaosLong(t *testing.T) {
	realtest.Long(t)
	asCommandHere(t)
	names := func(without ...string) []string {
		return slices.DeleteFunc(chaos.Names(), func(name string) bool { return slices.Contains(without, name) })
	}
	t.Run("embedded", func(t *testing.T) {
		checkChaos(t, names("leader-kill"))
	})
	t.Run("Apache", func(t *testing.T) {
		member := realtest.Members(t, 1)[0]
		checkChaos(t, names("leader-kill", "registry-wipe"), "--ensemble", member.Addr+"="+member.Command)
	})
	t.Run("ensemble", func(t *testing.T) {
		var args []string
		for _, member := range realtest.Members(t, 3) {
			args = append(args, "--ensemble", member.Addr+"="+member.Command)
		}
		checkChaos(t, names("registry-kill", "registry-wipe"), args...)
	})
}

// doubleClient sends every Put twice.
type doubleClient struct{ chaos.Client }

func newDoubleClient(target string) (chaos.Client, error) {
	c, err := chaos.NewRollcall(target)
	return doubleClient{c}, err
}

func (c doubleClient) Call(ctx context.Context, idempotent bool, id uint64) chaos.Outcome {
	if !idempotent {
		c.Client.Call(ctx, idempotent, id)
	}
	return c.Client.Call(ctx, idempotent, id)
}

// A call that is sent twice on purpose is found, and so is a server that ends
// when it should be drained.
func TestChaosFindsDoubleCalls(t *testing.T) {
	asCommandHere(t)
	t.Parallel()
	c := chaosCommand{
		output: formatTable, only: scenarioNames{"calm"}, servers: bounded{n: 2}, callers: bounded{n: 5},
		duration: span{d: 400 * time.Millisecond}, maxWait: span{d: 20 * time.Second},
	}
	cfg, err := c.config(new(cobra.Command))
	if err != nil {
		t.Fatal(err)
	}
	cfg.NewClient = newDoubleClient
	var stdout, stderr bytes.Buffer
	if err := c.run(t.Context(), cfg, &stdout, &stderr); err != errReported {
		t.Errorf("got %v, want the failure that is reported", err)
	}
	got := result{statusFailure, stdout.String(), stderr.String()}
	got.check(t, statusFailure, []string{"BROKEN: no Put is executed twice"}, []string{"promises were broken in 1 of 1 scenarios"})
}

// A suite that is interrupted fails and leaves nothing.
func TestChaosInterrupted(t *testing.T) {
	asCommandHere(t)
	t.Parallel()
	r := begin(t, append([]string{"chaos", "--only", "calm,kill"}, chaosFor...)...)
	for !strings.HasPrefix(line(t, r.stdout), "calm ") {
	}
	go io.Copy(io.Discard, r.stdout)
	r.stop()
	if got := line(t, r.stderr); got != "rollcall: chaos: interrupted" {
		t.Errorf("stderr %q", got)
	}
	if status := r.status(); status != statusFailure {
		t.Errorf("exit status %d, want %d", status, statusFailure)
	}
}

func TestChaosLists(t *testing.T) {
	command(t, "chaos", "--list").check(t, statusOK, []string{"kill ", "leader-kill ", "short  a server is killed with SIGKILL"}, nil)
	command(t, "chaos", "--list", "-o", "json").check(t, statusOK, []string{`{"name":"kill","about":"a server`}, nil)
}

// What cannot begin says why.
func TestChaosFails(t *testing.T) {
	asCommandHere(t)
	t.Parallel()
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"no member":    {[]string{"--ensemble", "127.0.0.1:1=false"}, "ended before it served"},
		"two of one":   {[]string{"--ensemble", "127.0.0.1:1=true", "--registry", "zk://127.0.0.1:1/rpc"}, "[ensemble registry]"},
		"not existing": {[]string{"--only", "kill,quake"}, `--only "kill,quake": there is no scenario "quake", give calm, kill`},
	} {
		got := command(t, append([]string{"chaos"}, tt.args...)...)
		if got.status == statusOK || !strings.Contains(got.stderr, tt.want) {
			t.Errorf("%s: exit status %d, stderr %q, want %q", name, got.status, got.stderr, tt.want)
		}
	}
}
