// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// twoRuns is a report on a machine that was twice as fast in its second run.
func twoRuns(t *testing.T) *report {
	t.Helper()
	p, err := parsePlan([]string{"-runs", "2", "-workloads", "A,B", "-systems", "r1,r2y,rollcall,net/rpc"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	rep := newReport(p)
	rep.Machine = "a machine"
	for run, factor := range []float64{1, 2} {
		rep.Cells = append(
			rep.Cells,
			cell{Run: run, Workload: "A", System: "r1", P50US: 20 / factor},
			cell{Run: run, Workload: "A", System: "r2y", P50US: 30 / factor},
			cell{Run: run, Workload: "A", System: "rollcall", P50US: 25 / factor},
			cell{Run: run, Workload: "B", System: "r2y", CallsPerS: 100_000 * factor, P99US: 500 / factor, ClientCPUUS: 1, ServerCPUUS: 1},
			cell{Run: run, Workload: "B", System: "rollcall", CallsPerS: 50_000 * factor, P99US: 1000 / factor, ClientCPUUS: 2, ServerCPUUS: 3, ClientAllocs: 4},
		)
	}
	rep.Cells = append(rep.Cells, cell{Run: 1, Workload: "B", System: "net/rpc", CallsPerS: 20_000, P99US: 2000, ClientCPUUS: 10, ServerCPUUS: 10})
	return rep
}

// TestReportRatios takes ratios within runs: dividing medians would not do.
func TestReportRatios(t *testing.T) {
	rep := twoRuns(t)
	rep.summarize()
	rows := map[string]row{}
	for _, f := range rep.Figures {
		rows[f.System] = f
	}
	rollcall := rows["rollcall"]
	if diff := cmp.Diff(map[string]*spread{
		"A p50 µs":      {1.25, 1.25, 1.25},
		"B calls/s":     {0.5, 0.5, 0.5},
		"B p99 µs":      {2, 2, 2},
		"B CPU µs/call": {2.5, 2.5, 2.5},
	}, rollcall.Ratios); diff != "" {
		t.Errorf("ratios to the baselines: -want +got\n%s", diff)
	}
	if got, want := rollcall.Figures["B calls/s"], (spread{75_000, 50_000, 100_000}); got != want {
		t.Errorf("calls/s: got %v, want %v", got, want)
	}
	// net/rpc was measured in the second run only.
	for _, v := range rep.Versus {
		if v.System != "net/rpc" {
			continue
		}
		if diff := cmp.Diff(map[string]*spread{"B calls/s": {5, 5, 5}, "B p99 µs": {4, 4, 4}, "B CPU µs/call": {4, 4, 4}}, v.Better); diff != "" {
			t.Errorf("against net/rpc: -want +got\n%s", diff)
		}
	}
}

func TestSpread(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   *spread
	}{
		{nil, nil},
		{[]float64{3}, &spread{3, 3, 3}},
		{[]float64{3, 1}, &spread{2, 1, 3}},
		{[]float64{9, 1, 2}, &spread{2, 1, 9}},
	} {
		if diff := cmp.Diff(c.want, spreadOf(c.values)); diff != "" {
			t.Errorf("spreadOf(%v): -want +got\n%s", c.values, diff)
		}
	}
}

func TestMarkdown(t *testing.T) {
	var b bytes.Buffer
	if err := twoRuns(t).print(&b, outputMarkdown); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"a machine. Client and server",
		"Medians of 2 runs of 2s each, after 1s of warm-up",
		"|  | A p50 µs | B calls/s | B p99 µs | B CPU µs/call | B allocs/call |\n|---|---:|---:|---:|---:|---:|\n",
		"| r1 | 15.0 |  |  |  |  |\n",
		"| r2y | 22.5 (1.50) | 150k | 375 | 2.00 | 0.00 |\n",
		"| rollcall | 18.8 (1.25) | 75.0k (0.50) | 750 (2.00) | 5.00 (2.50) | 4.00 |\n",
		"| Rollcall against | A p50 µs | B calls/s | B p99 µs | B CPU µs/call |\n",
		"| r1 | 0.80 |  |  |  |\n",
		"| net/rpc |  | 5.00 | 4.00 | 4.00 |\n",
		"- B: 1 connection, 100 callers, 1 KiB\n",
		"- net/rpc: the standard library's",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is missing in\n%s", want, b.String())
		}
	}
}

func TestAligned(t *testing.T) {
	var b bytes.Buffer
	if err := twoRuns(t).print(&b, outputTable); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"          A p50 µs     B calls/s     B p99 µs     B CPU µs/call  B allocs/call\n",
		"r1        15.0      ",
		"r2y       22.5 (1.50)  150k          375          2.00           0.00\n",
		"rollcall  18.8 (1.25)  75.0k (0.50)  750 (2.00)   5.00 (2.50)    4.00\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is missing in\n%s", want, b.String())
		}
	}
}

func TestSpreadString(t *testing.T) {
	for want, s := range map[string]spread{
		"1.02; 0.98–1.10":  {1.02, 0.98, 1.1},
		"33.3; 9.99–100.0": {33.333, 9.99, 100},
		"0.05":             {0.05, 0.05, 0.05},
	} {
		if got := s.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestFigure(t *testing.T) {
	for want, v := range map[string]float64{"605k": 605_123, "26.7k": 26_700, "4268": 4268, "345": 345, "25.2": 25.2, "2.30": 2.3, "0.00": 0} {
		if got := figure(v); got != want {
			t.Errorf("figure(%v): got %q, want %q", v, got, want)
		}
	}
}

// TestOrderTurns looks at who is measured first, and in which run.
func TestOrderTurns(t *testing.T) {
	p, err := parsePlan([]string{"-workloads", "A", "-systems", "r1,r2y", "-runs", "2"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	p.duration, p.warmup = 500*time.Millisecond, 0 // a busy machine ends a call in it
	var progress bytes.Buffer
	rep, err := p.run(t.Context(), &progress)
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, c := range rep.Cells {
		order = append(order, fmt.Sprint(c.Run, " ", c.System))
	}
	if diff := cmp.Diff([]string{"0 r1", "0 r2y", "1 r2y", "1 r1"}, order); diff != "" {
		t.Errorf("order: -want +got\n%s", diff)
	}
}
