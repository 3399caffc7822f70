// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package divide_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall/internal/realtest"
)

// processLimit bounds every wait for a process. None is awaited in vain but by a
// test that fails.
const processLimit = 30 * time.Second

// bounded returns a context for waiting.
func bounded(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), processLimit)
	t.Cleanup(cancel)
	return ctx
}

// programDir holds the built programs; TestMain makes and removes it.
var programDir string

func TestMain(m *testing.M) {
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "divide")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	programDir = dir
	return m.Run()
}

// buildPrograms builds server and client, once for all tests.
var buildPrograms = sync.OnceValue(func() error {
	out, err := exec.Command("go", "build", "-o", programDir, "./server", "./client").CombinedOutput()
	if err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
})

// program returns the path of a built program, "server" or "client".
func program(t testing.TB, name string) string {
	t.Helper()
	if err := buildPrograms(); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(programDir, name)
}

// A serverProcess is a running server that is in the list.
type serverProcess struct {
	*process
	addr string // "127.0.0.1:40123"
	node string // "/rpc/server0000000000"
}

// startGoServer starts our server on a free port, registered with the ZooKeeper
// at zookeeper, "host:port".
func startGoServer(t testing.TB, zookeeper string, flags ...string) *serverProcess {
	t.Helper()
	args := append([]string{"-registry", "zk://" + zookeeper + "/rpc"}, flags...)
	return awaitServer(t, startProcess(t, program(t, "server"), append(args, "127.0.0.1", "0")...))
}

// startPythonServer starts the Python server likewise.
func startPythonServer(t testing.TB, zookeeper string) *serverProcess {
	t.Helper()
	return awaitServer(t, startPython(t, "server.py", "--zookeeper", zookeeper, "127.0.0.1", "0"))
}

func awaitServer(t testing.TB, p *process) *serverProcess {
	t.Helper()
	return &serverProcess{
		process: p,
		addr:    p.await(t, "serving on "),
		node:    p.await(t, "registered as "),
	}
}

// startGoClient starts our client.
func startGoClient(t testing.TB, zookeeper string, flags ...string) *process {
	t.Helper()
	args := append([]string{"-registry", "zk://" + zookeeper + "/rpc"}, flags...)
	return startProcess(t, program(t, "client"), args...)
}

// startPythonClient starts the Python client.
func startPythonClient(t testing.TB, zookeeper string, flags ...string) *process {
	t.Helper()
	return startPython(t, "client.py", append([]string{"--zookeeper", zookeeper}, flags...)...)
}

func startPython(t testing.TB, script string, args ...string) *process {
	t.Helper()
	args = append([]string{"-B", filepath.Join("python", script)}, args...)
	return startProcess(t, realtest.Kazoo(t), args...)
}

// answer splits a client's line into who answered, "host:port", and what.
func answer(line string) (addr, what string) {
	addr, what, _ = strings.Cut(line, " ")
	return addr, what
}
