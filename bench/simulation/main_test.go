// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rollcall-rpc/rollcall/internal/simulation"
)

func TestRunPrintsAndPlots(t *testing.T) {
	var out bytes.Buffer
	dir := t.TempDir()
	if err := run([]string{"-seeds", "1", "-only", "starved", "-plots", dir}, &out, &out); err != nil {
		t.Fatal(err)
	}
	for _, c := range simulation.Contenders {
		if !strings.Contains(out.String(), "\n| "+c.Name+" | ") {
			t.Errorf("the table has no row of %s:\n%s", c.Name, out.String())
		}
	}
	svg, err := os.ReadFile(filepath.Join(dir, "starved.svg"))
	if err != nil || !bytes.Contains(svg, []byte("<svg")) || !bytes.Contains(svg, []byte("p2c")) {
		t.Errorf("plot: got %d bytes, %v, want an SVG with the contenders", len(svg), err)
	}
}

func TestRunRefuses(t *testing.T) {
	for _, args := range []string{"-only nothing", "-seeds 0", "-plots"} {
		var out bytes.Buffer
		if err := run(strings.Fields(args), &out, &out); err == nil {
			t.Errorf("%s: got no error", args)
		}
	}
}
