// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"slices"

	"github.com/rollcall-rpc/rollcall/internal/chaos"
)

// printTable prints Markdown: failures are sums over the rounds, latencies
// medians of the rounds.
func printTable(w io.Writer, results []result) error {
	fmt.Fprintln(w, "| scenario | system | calls | Gets failed | Puts failed | Puts twice | p99 before, ms | p50 | p99 | longest call |")
	_, err := fmt.Fprintln(w, "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|")
	for _, r := range results {
		sum := func(of func(*chaos.Row) int) (n int) {
			for i := range r.rows {
				n += of(&r.rows[i])
			}
			return n
		}
		_, err = fmt.Fprintf(w, "| %s | %s | %d | %d | %d | %d | %s | %s | %s | %s |\n", r.scenario, r.system,
			sum(func(row *chaos.Row) int { return row.Calls }),
			sum(func(row *chaos.Row) int { return row.FailedGet + row.Shed }),
			sum(func(row *chaos.Row) int { return row.FailedPut }),
			sum(func(row *chaos.Row) int { return row.Twice }),
			r.median(func(row *chaos.Row) float64 { return row.Before.P99 }),
			r.median(func(row *chaos.Row) float64 { return row.Window.P50 }),
			r.median(func(row *chaos.Row) float64 { return row.Window.P99 }),
			r.median(func(row *chaos.Row) float64 { return row.LongestMS }))
	}
	return err
}

// median returns the median over the rounds, the lower one of two.
func (r *result) median(of func(*chaos.Row) float64) string {
	values := make([]float64, len(r.rows))
	for i := range r.rows {
		values[i] = of(&r.rows[i])
	}
	slices.Sort(values)
	return fmt.Sprintf("%.1f", values[(len(values)-1)/2])
}
