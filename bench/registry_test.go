// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/rollcall-rpc/rollcall/bench/internal/registry"
	"github.com/rollcall-rpc/rollcall/internal/realtest"
)

// TestRegistry measures both registries, briefly, and sockets alone.
func TestRegistry(t *testing.T) {
	missing := registry.ApacheMissing()
	realtest.Require(t, "Apache ZooKeeper", missing == nil, "see bench registry")
	args := "-runs 1 -duration 300ms -warmup 50ms -heat 0s -probes go-exists,raw-get,raw-set -cpuprofile " + t.TempDir()
	p, err := parseRegistryPlan(strings.Fields(args), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	p.amounts = registry.Options{Children: 10}
	rep, err := p.run(t.Context(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	rep.summarize()
	if len(rep.Samples) != 14 || len(rep.Rows) != 6 {
		t.Errorf("got %d samples and %d rows, want 14 and 6", len(rep.Samples), len(rep.Rows))
	}
	for i, row := range rep.Rows {
		if bare := i < 2; bare != (row.Least != nil) {
			t.Errorf("%s: sockets alone have %+v", row.Figure, row.Least)
		}
		if row.Ours.Median <= 0 || row.Theirs.Median <= 0 || row.Ratio.Median <= 0 {
			t.Errorf("%s: got %+v, %+v, %+v", row.Figure, row.Ours, row.Theirs, row.Ratio)
		}
	}
}

func TestRegistryTable(t *testing.T) {
	rep := &registryReport{
		Machine: "a machine", Runs: 2, systems: []registry.System{registry.Rollcall("x"), registry.Apache(), registry.Sockets("x")},
		figures: []registry.Figure{
			{Name: "cpu", Unit: "µs", Bar: 0.25},
			{Name: "rate", Bar: 2, More: true},
			{Name: "memory", Unit: "MB", Limit: 1000},
			{Name: "not measured"},
		},
	}
	for run, theirs := range []float64{40, 20} {
		rep.Samples = append(
			rep.Samples,
			registrySample{run, "Rollcall", "cpu", 8}, registrySample{run, "Apache ZooKeeper", "cpu", theirs},
			registrySample{run, "Rollcall", "rate", 30_000}, registrySample{run, "Apache ZooKeeper", "rate", 20_000},
			registrySample{run, "sockets alone", "rate", 40_000},
		)
	}
	rep.Samples = append(rep.Samples, registrySample{0, "Rollcall", "memory", 700}, registrySample{0, "Apache ZooKeeper", "memory", 900})
	var b bytes.Buffer
	if err := rep.print(&b, outputMarkdown); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"a machine. Client and server",
		"|  | Rollcall | Apache ZooKeeper | ratio | asked |  | ratio of sockets alone |\n|---|---:|---:|---:|---:|---:|---:|\n",
		"| cpu | 8.00 µs | 30.0 µs | 0.30; 0.20–0.40 | ≤ 0.25 | missed |  |\n",
		"| rate | 30.0k | 20.0k | 1.50 | ≥ 2 | missed | 2.00 |\n",
		"| memory | 700 MB | 900 MB | 0.78 | ≤ 1000 MB |  |  |\n",
		"- Rollcall: `rollcall registry`",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is missing in\n%s", want, b.String())
		}
	}
	if strings.Contains(b.String(), "not measured") {
		t.Errorf("a figure without samples in\n%s", b.String())
	}
}

// TestRegistryUsage gives wrong command lines: the message names flag, value and
// fix.
func TestRegistryUsage(t *testing.T) {
	for args, want := range map[string]string{
		"-runs 0":          "-runs 0: give at least 1",
		"-heat -1s":        "-heat -1s: give 0 or more",
		"-probes get,gets": `-probes: probe "get": give some of go-get,`,
		"-o yaml":          `-o "yaml": give markdown, table or json`,
		"fast":             `argument "fast": give flags only`,
	} {
		var out, errs bytes.Buffer
		if status := runRegistry(t.Context(), strings.Fields(args), &out, &errs); status != statusUsage {
			t.Errorf("%s: got status %d, want %d", args, status, statusUsage)
		}
		if !strings.Contains(errs.String(), want) || out.Len() > 0 {
			t.Errorf("%s: got %q, want %q on stderr", args, errs.String(), want)
		}
	}
	var out, errs bytes.Buffer
	if status := runRegistry(t.Context(), []string{"-h"}, &out, &errs); status != statusOK || !strings.Contains(errs.String(), "-rollcall program") {
		t.Errorf("-h: got status %d, %q", status, errs.String())
	}
}
