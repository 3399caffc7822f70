// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"bytes"
	"os"
	"os/exec"
	"testing"
)

// It says hello, and ends with status 0.
func TestHello(t *testing.T) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "go", "run", ".")
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil || stdout.String() != "Hello, Ada\n" {
		t.Errorf("%v: got %q, want a greeting\n%s", err, &stdout, &stderr)
	}
}

// What the README shows of it is one look: all of the file but the licence.
func TestLength(t *testing.T) {
	const most = 35
	source, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	_, shown, _ := bytes.Cut(source, []byte("\n\n"))
	if n := bytes.Count(shown, []byte("\n")); n == 0 || n > most {
		t.Errorf("main.go has %d lines, more than %d", n, most)
	}
}
