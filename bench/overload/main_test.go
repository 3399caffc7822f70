// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"
)

// A server process of a test is the test itself.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == serveCommand {
		main()
		return
	}
	os.Exit(m.Run())
}

// Every cell comes to figures, whatever they are on a busy machine.
func TestCells(t *testing.T) {
	var out bytes.Buffer
	if err := run(context.Background(), []string{"-runs", "1", "-duration", "200ms"}, &out, t.Output()); err != nil {
		t.Fatal(err)
	}
	for _, c := range cells {
		for _, system := range []string{rollcallSystem, grpcSystem} {
			if c.servers > 1 && system == grpcSystem {
				continue
			}
			if want := c.name + " | " + system; !strings.Contains(out.String(), want) {
				t.Errorf("no row %q in\n%s", want, &out)
			}
		}
	}
	if strings.Contains(out.String(), "NaN") {
		t.Errorf("a cell has no figures:\n%s", &out)
	}
}

func TestBadArguments(t *testing.T) {
	for _, args := range [][]string{{"-runs", "0"}, {"-duration", "0"}, {"more"}, {"-cells", "spun"}, {"-systems", "cobra"}} {
		if err := run(context.Background(), args, new(bytes.Buffer), new(bytes.Buffer)); err == nil {
			t.Errorf("%q is accepted", args)
		}
	}
}
