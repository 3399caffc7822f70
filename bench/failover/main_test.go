// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// asCommand makes this test binary the command itself.
const asCommand = "ROLLCALL_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// Both systems play a scenario to its end and the table has a line for each;
// Rollcall fails no Get and runs no Put twice.
func TestFailover(t *testing.T) {
	t.Setenv(asCommand, "1")
	var stdout, stderr bytes.Buffer
	args := []string{"-rounds", "1", "-only", "kill", "-servers", "2", "-rate", "200", "-callers", "5", "-duration", "600ms"}
	if err := run(t.Context(), args, &stdout, &stderr); err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	lines := strings.Split(strings.TrimSpace(stdout.String()), "\n")
	if len(lines) != 4 {
		t.Fatalf("%d lines, want 4:\n%s", len(lines), stdout.String())
	}
	for i, sys := range systems {
		cells := strings.Split(lines[2+i], " | ")
		if cells[0] != "| kill" || cells[1] != sys.name || cells[2] == "0" {
			t.Errorf("line %q: want the scenario, %s and calls", lines[2+i], sys.name)
		}
		if sys.serve == serveRollcall && (cells[3] != "0" || cells[5] != "0") {
			t.Errorf("line %q: want no failed Get and no Put twice", lines[2+i])
		}
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{"-only", "quake"}, {"-only", "kill,silent-strangers"}, {"-rounds", "0"}, {"-servers", "1"}, {"-duration", "0s"}, {"kill"}, {"-frobnicate"}} {
		var stderr bytes.Buffer
		if err := run(t.Context(), args, &stderr, &stderr); err == nil {
			t.Errorf("%q is accepted", args)
		}
	}
}
