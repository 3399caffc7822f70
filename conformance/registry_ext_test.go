// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package conformance_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall/internal/realtest"
)

// buildRegistry builds the command once.
var buildRegistry = sync.OnceValues(func() (string, error) {
	path := filepath.Join(buildDir, "rollcall")
	cmd := exec.Command("go", "build", raceFlag, "-o", path, "./cmd/rollcall")
	cmd.Dir = ".."
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build ./cmd/rollcall: %w\n%s", err, out)
	}
	return path, nil
})

var buildDir string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if buildDir, err = os.MkdirTemp("", "conformance"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer func() { _ = os.RemoveAll(buildDir) }()
		return m.Run()
	}())
}

// A registry is a process of "rollcall registry".
type registry struct {
	t      *testing.T
	addr   string
	data   string // its directory; empty: in memory
	flags  []string
	cmd    *exec.Cmd
	stderr *bytes.Buffer
	ended  chan error // what the process ended with
	began  time.Time
}

// startRegistry starts a registry and kills it when the test ends.
func startRegistry(t *testing.T, data bool, flags ...string) *registry {
	t.Helper()
	r := &registry{t: t, addr: "127.0.0.1:0", flags: flags}
	if data {
		r.data = t.TempDir()
	}
	r.Start()
	t.Cleanup(func() {
		r.end(syscall.SIGTERM)
		if t.Failed() {
			t.Logf("%s:\n%s", r.cmd, r.stderr)
		}
	})
	return r
}

func (r *registry) Addr() string { return r.addr }

func (r *registry) Start() {
	r.t.Helper()
	path, err := buildRegistry()
	if err != nil {
		r.t.Fatal(err)
	}
	args := append([]string{"registry", "--listen", r.addr, "--tick", tick.String()}, r.flags...)
	if r.data == "" {
		args = append(args, "--memory")
	} else {
		args = append(args, "--data", r.data)
	}
	r.cmd, r.stderr = realtest.Command(r.t, path, args...), new(bytes.Buffer)
	r.cmd.Stderr = r.stderr
	stdout, err := r.cmd.StdoutPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.began = time.Now()
	lines, ended := make(chan string, 1), make(chan error, 1)
	go func(cmd *exec.Cmd) { // it ends with the process
		in := bufio.NewReader(stdout)
		line, _ := in.ReadString('\n')
		lines <- line
		_, _ = io.Copy(io.Discard, in)
		ended <- cmd.Wait()
	}(r.cmd)
	r.ended = ended
	line := receive(r.t, "the registry's first line", lines)
	addr, ok := strings.CutPrefix(strings.TrimSpace(line), "registry ready on ")
	if !ok {
		r.end(syscall.SIGKILL)
		r.t.Fatalf("registry on %s printed %q, want what it is ready on:\n%s", r.addr, line, r.stderr)
	}
	r.addr = addr
}

// Stop kills the registry as a crash would.
func (r *registry) Stop() { r.end(syscall.SIGKILL) }

// Wipe kills the registry and starts it without its data. Each life's first zxid
// is the second it began in, so the next life waits for another second: only
// then are clients told that their sessions have expired.
func (r *registry) Wipe() {
	r.t.Helper()
	r.Stop()
	<-time.After(time.Until(r.began.Truncate(time.Second).Add(2 * time.Second)))
	r.Start()
}

func (r *registry) end(how syscall.Signal) {
	r.t.Helper()
	if r.ended == nil {
		return
	}
	_ = r.cmd.Process.Signal(how) // it may have ended by itself, which is told below
	err := receive(r.t, "the registry's end", r.ended)
	r.ended = nil
	if how == syscall.SIGTERM && err != nil {
		r.t.Errorf("%s ended with %v, want success:\n%s", r.cmd, err, r.stderr)
	}
	if bytes.Contains(r.stderr.Bytes(), []byte("DATA RACE")) {
		r.t.Errorf("%s:\n%s", r.cmd, r.stderr)
	}
}
