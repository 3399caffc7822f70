// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
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

// chaosCmd returns the suite as a process of its own.
func chaosCmd(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], append([]string{"chaos"}, args...)...)
	cmd.Env = append(os.Environ(), asCommand+"=1") // the processes that it starts inherit it
	dieWithUs(cmd)
	return cmd
}

// chaosProcess runs the suite as a process of its own.
func chaosProcess(t *testing.T, args ...string) result {
	t.Helper()
	cmd := chaosCmd(args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// runChaos runs the suite and returns what it reports.
func runChaos(t *testing.T, args ...string) (chaos.Report, result) {
	t.Helper()
	got := chaosProcess(t, append([]string{"-o", "json"}, args...)...)
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

func TestChaos(t *testing.T) {
	t.Parallel()
	checkChaos(t, []string{"kill", "stop", "rolling", "blackhole", "registry-kill", "silent-strangers", "fd-limit"}, chaosFor...)
}

func TestChaosApache(t *testing.T) {
	t.Parallel()
	member := realtest.Members(t, 1)[0]
	checkChaos(t, []string{"kill", "registry-kill", "registry-empty"}, append(chaosFor, "--ensemble", member.Addr+"="+member.Command)...)
}

// A registry that is there is used beside what it holds, and left as it was.
func TestChaosRegistry(t *testing.T) {
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
	for _, argv := range []*[]string{&cfg.Server, &cfg.Registry} {
		*argv = append([]string{"env", asCommand + "=1"}, *argv...)
	}
	var stdout, stderr bytes.Buffer
	if err := c.run(t.Context(), cfg, &stdout, &stderr); !errors.Is(err, errReported) {
		t.Errorf("got %v, want the failure that is reported", err)
	}
	got := result{statusFailure, stdout.String(), stderr.String()}
	got.check(t, statusFailure, []string{"BROKEN: no Put is executed twice"}, []string{"promises were broken in 1 of 1 scenarios"})
}

// startPiped starts a command whose output is read while it runs. stderr is there
// when it has ended.
func startPiped(t *testing.T, cmd *exec.Cmd) (stdout io.ReadCloser, stderr *bytes.Buffer) {
	t.Helper()
	stderr = new(bytes.Buffer)
	cmd.Stderr = stderr
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	return stdout, stderr
}

// A suite that is interrupted fails and leaves nothing.
func TestChaosInterrupted(t *testing.T) {
	t.Parallel()
	cmd := chaosCmd(append([]string{"--only", "calm,kill"}, chaosFor...)...)
	stdout, stderr := startPiped(t, cmd)
	lines := bufio.NewReader(stdout)
	for !strings.HasPrefix(line(t, lines), "calm ") {
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, lines) //nolint:errcheck // it ends with the command
	cmd.Wait()                 //nolint:errcheck // the exit status is looked at
	got := result{cmd.ProcessState.ExitCode(), "", stderr.String()}
	got.check(t, statusFailure, nil, []string{"rollcall: chaos: interrupted\n"})
}

// A suite whose table nobody reads any more fails and leaves nothing: no file, and
// no znode.
func TestChaosUnread(t *testing.T) {
	t.Parallel()
	registry, dir := zktest.Start(t), t.TempDir()
	cmd := chaosCmd(append([]string{"--only", "calm", "--registry", registry.Target("/rpc")}, chaosFor...)...)
	cmd.Env = append(cmd.Env, "TMPDIR="+dir)
	stdout, stderr := startPiped(t, cmd)
	line(t, bufio.NewReader(stdout)) // the heads
	stdout.Close()
	cmd.Wait() //nolint:errcheck // the exit status is looked at
	got := result{cmd.ProcessState.ExitCode(), "", stderr.String()}
	got.check(t, statusFailure, nil, []string{"rollcall: the output cannot be written: write ", "broken pipe"})
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
	if got := command(t, "zk", "ls", registry.Target("/")); strings.Contains(got.stdout, "chaos") {
		t.Errorf("the registry holds %s", got.stdout)
	}
}

func TestChaosLists(t *testing.T) {
	command(t, "chaos", "--list").check(t, statusOK, []string{"kill ", "leader-kill ", "short  a server is killed with SIGKILL"}, nil)
	command(t, "chaos", "--list", "-o", "json").check(t, statusOK, []string{`{"name":"kill","about":"a server`}, nil)
}

// What cannot begin says why.
func TestChaosFails(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"no member":    {[]string{"--ensemble", "127.0.0.1:1=false"}, "ended before it served"},
		"no registry":  {[]string{"--registry", "zk://127.0.0.1:1/rpc"}, "chaos: /rpc: the registry did not answer within 5s: 127.0.0.1:1: "},
		"not existing": {[]string{"--only", "kill,quake"}, `--only "kill,quake": there is no scenario "quake", give calm, kill`},
	} {
		got := chaosProcess(t, tt.args...)
		if got.status == statusOK || !strings.Contains(got.stderr, tt.want) {
			t.Errorf("%s: exit status %d, stderr %q, want %q", name, got.status, got.stderr, tt.want)
		}
	}
}
