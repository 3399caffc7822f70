// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A demoRun is a demonstration that runs as a process of its own.
type demoRun struct {
	cmd    *exec.Cmd
	stdout *bufio.Reader
	// stderr is inherited by every server: it ends with the last process.
	stderr *os.File
}

func startDemo(t *testing.T, args ...string) *demoRun {
	t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer write.Close()
	cmd := exec.Command(os.Args[0], append([]string{"demo"}, args...)...)
	cmd.Env = append(os.Environ(), asCommand+"=1")
	cmd.Stderr = write
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	dieWithUs(cmd)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill() //nolint:errcheck // it has ended then
		cmd.Wait()         //nolint:errcheck // it was killed
		read.Close()
	})
	return &demoRun{cmd, bufio.NewReader(stdout), read}
}

// until reads lines up to one that contains a text.
func (d *demoRun) until(t *testing.T, text string) {
	t.Helper()
	for !strings.Contains(line(t, d.stdout), text) {
	}
}

// end waits for the demonstration, then for every server, and returns what it
// printed and its exit status.
func (d *demoRun) end(t *testing.T) (lines []string, status int) {
	t.Helper()
	out, err := io.ReadAll(d.stdout)
	if err != nil {
		t.Fatal(err)
	}
	d.cmd.Wait() //nolint:errcheck // the status tells
	if err := d.stderr.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	logged, err := io.ReadAll(d.stderr)
	if err != nil {
		t.Errorf("a process outlives the demonstration: %v", err)
	}
	if len(logged) > 0 {
		t.Errorf("stderr: %s", logged)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n"), d.cmd.ProcessState.ExitCode()
}

var (
	summaryShape = regexp.MustCompile(`^(\d+) calls, 0 failed: (\d+) (\d+), (\d+) (\d+), (\d+) (\d+); ` +
		`join seen in \d[\d.]* m?s, kill routed around in \d[\d.]* m?s, drain without a loss$`)
	eventShape = regexp.MustCompile(`^ *\d+\.\d{3} s  `)
	pidShape   = regexp.MustCompile(`process (\d+)`)
)

// checkDemo holds a demonstration's output against what it promises, and
// returns the names of its servers.
func checkDemo(t *testing.T, lines []string, status int) (names []string) {
	t.Helper()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("output:\n%s", strings.Join(lines, "\n"))
		}
	})
	if status != statusOK {
		t.Errorf("exit status %d, want %d", status, statusOK)
	}
	for _, l := range lines[1 : len(lines)-1] {
		if !eventShape.MatchString(l) {
			t.Errorf("line %q does not begin with its time", l)
		}
	}
	all := strings.Join(lines, "\n")
	for _, want := range []string{"+ joined", "SIGKILL", "- left", "SIGTERM", "answered"} {
		if !strings.Contains(all, want) {
			t.Errorf("nothing tells %q", want)
		}
	}
	if got := len(pidShape.FindAllString(all, -1)); got != 3 {
		t.Errorf("%d servers with a process, want 3", got)
	}
	summary := summaryShape.FindStringSubmatch(lines[len(lines)-1])
	if summary == nil {
		t.Fatalf("last line %q does not match %v", lines[len(lines)-1], summaryShape)
	}
	sum := 0
	for i := 2; i < len(summary); i += 2 {
		names = append(names, summary[i])
		n, _ := strconv.Atoi(summary[i+1])
		if n == 0 {
			t.Errorf("%s answered no call", summary[i])
		}
		sum += n
	}
	if strconv.Itoa(sum) != summary[1] {
		t.Errorf("the servers answered %d calls of %s", sum, summary[1])
	}
	return names
}

// The whole story, with real processes.
func TestDemo(t *testing.T) {
	demo := startDemo(t, "--pace", "500ms")
	lines, status := demo.end(t)
	checkDemo(t, lines, status)
}

// Ports that are taken are no reason to fail, and the demonstration says so.
func TestDemoWithTakenPorts(t *testing.T) {
	for _, port := range []string{"8001", "2181"} {
		listener, err := net.Listen("tcp", net.JoinHostPort(loopback, port))
		if err == nil { // else somebody else has taken it
			defer listener.Close()
		}
	}
	demo := startDemo(t, "--pace", "100ms")
	lines, status := demo.end(t)
	names := checkDemo(t, lines, status)
	all := strings.Join(lines, "\n")
	for _, want := range []string{"(port 8001 is taken)", "(port 2181 is taken)", "rollcall ls --watch zk://127.0.0.1:"} {
		if !strings.Contains(all, want) {
			t.Errorf("nothing tells %q", want)
		}
	}
	if names[0] == "8001" {
		t.Errorf("the first server is called 8001, which is taken")
	}
}

func TestDemoInterrupted(t *testing.T) {
	demo := startDemo(t)
	demo.until(t, "one client calls")
	if err := demo.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	lines, status := demo.end(t)
	if last := lines[len(lines)-1]; status != statusFailure || !strings.HasSuffix(last, "; interrupted") {
		t.Errorf("exit status %d, last line %q, want %d and that it was interrupted", status, last, statusFailure)
	}
}

// A demonstration that is killed, which runs no cleanup, leaves no server.
func TestDemoKilled(t *testing.T) {
	demo := startDemo(t)
	demo.until(t, "one client calls")
	if err := demo.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, status := demo.end(t); status != -1 {
		t.Errorf("exit status %d, want that of a signal", status)
	}
}

// A server of the demonstration ends with its stdin, for systems that cannot
// end it with its parent.
func TestDemoServerEndsWithStdin(t *testing.T) {
	got := command(t, "demo-server", "--registry", "zk://"+closedPort(t)+"/rpc", "--listen", "127.0.0.1:0")
	got.check(t, statusOK, []string{"serving 127.0.0.1:"}, nil)
}

// What cannot be done fails the demonstration, and its last line says what.
func TestDemoFails(t *testing.T) {
	for _, tt := range []struct{ name, script, want string }{
		{"absent", "", "0 calls, 0 failed; server 8001 starts: "},
		{"ends", "#!/bin/sh\nexit 3\n", "ended before it served: exit status 3"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			executable := t.TempDir() + "/server"
			if tt.script != "" {
				if err := os.WriteFile(executable, []byte(tt.script), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			var out bytes.Buffer
			d := &demo{executable: executable, pace: time.Millisecond, line: newStoryline(&out), stderr: io.Discard}
			if err := d.run(t.Context()); err == nil {
				t.Error("it succeeds")
			}
			lines := strings.Split(strings.TrimSpace(out.String()), "\n")
			if last := lines[len(lines)-1]; !strings.Contains(last, tt.want) {
				t.Errorf("last line %q, want %q", last, tt.want)
			}
		})
	}
}

// One failed call fails the demonstration although every step happened.
func TestDemoVerdict(t *testing.T) {
	d := &demo{traffic: newTraffic(nil, nil), facts: []string{"drain lost 1 calls"}, processes: []*process{
		{name: "8001", addr: "127.0.0.1:8001"}, {name: "8002", addr: "127.0.0.1:8002"},
	}}
	d.traffic.count("127.0.0.1:8001", nil)
	if err := d.verdict(t.Context(), nil); err != nil {
		t.Errorf("without a failed call: %v", err)
	}
	d.traffic.count("127.0.0.1:8002", io.EOF)
	if err := d.verdict(t.Context(), nil); err == nil {
		t.Error("a failed call is no failure")
	}
	if got, want := d.summary(errReported), "2 calls, 1 failed: 8001 1, 8002 0; drain lost 1 calls"; got != want {
		t.Errorf("summary %q, want %q", got, want)
	}
}

func TestReadable(t *testing.T) {
	for _, tt := range []struct {
		d    time.Duration
		want string
	}{
		{780 * time.Microsecond, "0.8 ms"},
		{9949 * time.Microsecond, "9.9 ms"},
		{503 * time.Millisecond, "503 ms"},
		{2413 * time.Millisecond, "2.41 s"},
	} {
		if got := readable(tt.d); got != tt.want {
			t.Errorf("%v: got %q, want %q", tt.d, got, tt.want)
		}
	}
}

// Colours are for terminals only.
func TestStorylineColours(t *testing.T) {
	var out bytes.Buffer
	l := newStoryline(&out)
	l.eventf(red, "word", "%s", "sentence")
	if got := out.String(); strings.Contains(got, "\x1b") || !strings.HasSuffix(got, "word      sentence\n") {
		t.Errorf("into a pipe: %q", got)
	}
	out.Reset()
	l.colour = true
	l.show(red, "text")
	if got, want := out.String(), "\x1b[31mtext\x1b[0m\n"; got != want {
		t.Errorf("on a terminal: %q, want %q", got, want)
	}
}
