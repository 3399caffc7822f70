// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/rollcall-rpc/rollcall/internal/simulation"
)

// A row is a contender in a scenario, with its runs.
type row struct {
	name string
	runs []*simulation.Result
}

// median returns the median of what value says of the runs.
func median[T int | float64 | time.Duration](r *row, value func(*simulation.Result) T) T {
	list := make([]T, len(r.runs))
	for i, run := range r.runs {
		list[i] = value(run)
	}
	slices.Sort(list)
	return list[len(list)/2]
}

func (r *row) percentile(p float64) time.Duration {
	return median(r, func(run *simulation.Result) time.Duration { return run.Percentile(p) })
}

// overOracle returns the median of the ratios of the 99th percentiles, each to
// the oracle's with the same seed.
func (r *row) overOracle(oracle *row) float64 {
	ratios := row{runs: r.runs}
	i := 0
	return median(&ratios, func(run *simulation.Result) float64 {
		best := oracle.runs[i].Percentile(0.99)
		i++
		return float64(run.Percentile(0.99)) / float64(best)
	})
}

// printTable writes a scenario as a table in Markdown. The first row is the
// oracle's.
func printTable(w io.Writer, s simulation.Scenario, rows []row) {
	fmt.Fprintf(w, "**%s**: %s.\n\n", s.Name, s.About)
	fmt.Fprintln(w, "| | p99 × oracle | p50 ms | p99 ms | p99.9 ms | max ms | longest queue | retried | failed | ejections |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|---|---|---|---|")
	for i := range rows {
		r := &rows[i]
		fmt.Fprintf(w, "| %s | %.2f | %s | %s | %s | %s | %d | %d | %d | %d |\n", r.name, r.overOracle(&rows[0]),
			ms(r.percentile(0.5)), ms(r.percentile(0.99)), ms(r.percentile(0.999)), ms(r.percentile(1)),
			median(r, func(run *simulation.Result) int { return run.Queue }),
			median(r, func(run *simulation.Result) int { return run.Retried }),
			median(r, func(run *simulation.Result) int { return run.Failed }),
			median(r, func(run *simulation.Result) int { return run.Ejections }))
	}
	fmt.Fprintln(w)
}

// ms writes milliseconds with three digits that count.
func ms(d time.Duration) string {
	switch v := float64(d) / float64(time.Millisecond); {
	case v < 10:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.0f", v)
	}
}
