// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-rpc/rollcall/zk/zkserver"
)

// A fullWriter takes some bytes and then says that there is no space.
type fullWriter struct{ space int }

func (w *fullWriter) Write(p []byte) (int, error) {
	n := min(w.space, len(p))
	w.space -= n
	if n < len(p) {
		return n, syscall.ENOSPC
	}
	return n, nil
}

// endsWithin is how long a command may take that should end by itself.
const endsWithin = 20 * time.Second

// printsNowhere demands that a command line fails where its output cannot be written,
// at once or behind some of it, and says so.
func printsNowhere(t *testing.T, args ...string) {
	t.Helper()
	for _, space := range []int{0, 4} {
		ctx, cancel := context.WithTimeout(t.Context(), endsWithin)
		var stderr bytes.Buffer
		status := run(ctx, args, strings.NewReader(""), &fullWriter{space}, &stderr)
		if status != statusFailure || !strings.Contains(stderr.String(), "the output cannot be written: no space left") || ctx.Err() != nil {
			t.Errorf("rollcall %s, space for %d bytes: exit status %d, want %d and why; stderr:\n%s", strings.Join(args, " "), space, status, statusFailure, stderr.String())
		}
		cancel()
	}
}

// Whatever a command prints, it fails where that cannot be written.
func TestOutputIsWrittenOrAnError(t *testing.T) {
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		words := strings.Fields(cmd.CommandPath())[1:]
		printsNowhere(t, append(words, "--help")...)
		if len(words) > 0 && !cmd.Hidden {
			printsNowhere(t, append([]string{"help"}, words...)...)
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(newRoot())

	registry, err := zkserver.Start("127.0.0.1:0", zkserver.Options{DataDir: filepath.Join(t.TempDir(), "data")})
	if err != nil {
		t.Fatal(err)
	}
	defer registry.Close()
	target := registry.Target("/rpc")
	command(t, "zk", "create", registry.Target("/n"), "some data").check(t, statusOK, nil, nil)
	data := registry.State().Disk.Dir
	for _, args := range [][]string{
		{"version"},
		{"version", "--verbose"},
		{"completion", "bash"},
		{"chaos", "--list"},
		{"cert", "ca", "--force", "--dir", filepath.Join(t.TempDir(), "ca")},
		{"demo", "--pace", "1ms"},
		{"registry", "--memory", "--listen", "127.0.0.1:0"},
		{"registry", "check", checkable(t, data)},
		{"bench", "serve", "--listen", "127.0.0.1:0"},
		{"ls", target},
		{"ls", "-o", "json", target},
		{"zk", "get", registry.Target("/n")},
		{"zk", "ls", registry.Target("/")},
		{"zk", "stat", registry.Target("/n")},
		{"zk", "set", registry.Target("/n"), "other data"},
	} {
		t.Run(strings.Join(args[:min(2, len(args))], " "), func(t *testing.T) { printsNowhere(t, args...) })
	}
	for range 2 { // OUT is there behind the first, which could not say so
		out := filepath.Join(t.TempDir(), "backup")
		var stderr bytes.Buffer
		status := run(t.Context(), []string{"registry", "backup", "--data", data, out}, strings.NewReader(""), &fullWriter{}, &stderr)
		if _, err := os.Stat(out); status != statusFailure || err != nil || !strings.Contains(stderr.String(), "the output cannot be written") {
			t.Errorf("backup: exit status %d, %v, stderr %q; want the copy, and that it could not be told", status, err, stderr.String())
		}
	}
}

// checkable returns a copy of the data of a registry at work.
func checkable(t *testing.T, data string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "copy")
	command(t, "registry", "backup", "--data", data, out).check(t, statusOK, nil, nil)
	return out
}

// The same with a real device that is full.
func TestOutputToAFullDevice(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("there is no /dev/full")
	}
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"version"}, {"--help"}, {"demo"}, {"registry", "--memory", "--listen", "127.0.0.1:0"}} {
		full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), endsWithin)
		cmd := exec.CommandContext(ctx, executable, args...)
		cmd.Env = append(os.Environ(), asCommand+"=1")
		cmd.Stdout = full
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		dieWithUs(cmd)
		err = cmd.Run()
		cancel()
		full.Close()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != statusFailure || !strings.Contains(stderr.String(), "no space left") {
			t.Errorf("rollcall %s >/dev/full: %v, want exit status %d; stderr:\n%s", strings.Join(args, " "), err, statusFailure, stderr.String())
		}
	}
}

// A backup inside of what it is a backup of is lost with it.
func TestBackupInsideTheDataDirectory(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	registry, err := zkserver.Start("127.0.0.1:0", zkserver.Options{DataDir: data})
	if err != nil {
		t.Fatal(err)
	}
	defer registry.Close()
	below, link := filepath.Join(data, "below"), filepath.Join(t.TempDir(), "link")
	if err := errors.Join(os.Mkdir(below, 0o700), os.Symlink(below, link)); err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{
		filepath.Join(data, "out"), filepath.Join(below, "out"), filepath.Join(link, "out"), data + "/../data/out", data + "/./out/",
	} {
		command(t, "registry", "backup", "--data", data, out).check(t, statusFailure, nil, []string{"inside the data directory", "name a directory somewhere else"})
		if left, err := filepath.Glob(filepath.Join(filepath.Dir(filepath.Clean(out)), "out*")); len(left) > 0 || err != nil {
			t.Errorf("%s: %q are left, %v", out, left, err)
		}
	}
	beside := data + "-backup"
	command(t, "registry", "backup", "--data", data, beside).check(t, statusOK, []string{beside}, nil)
}
