// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/rollcall-rpc/rollcall/bench/internal/machine"
)

// A tableWriter writes a header and lines.
type tableWriter func(b *strings.Builder, table [][]string)

// printAs writes a report in one of the kinds of output: itself in JSON, or what
// text makes of it.
func printAs(w io.Writer, output string, report any, text func(b *strings.Builder, write tableWriter)) error {
	var b strings.Builder
	switch output {
	case outputJSON:
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(report)
	case outputTable:
		text(&b, writeAligned)
	default:
		text(&b, writeMarkdown)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// print writes the report in one of the kinds of output.
func (r *report) print(w io.Writer, output string) error {
	r.summarize()
	return printAs(w, output, r, func(b *strings.Builder, write tableWriter) {
		fmt.Fprintf(b, "%s\n\n", r.heading())
		write(b, r.figureTable())
		fmt.Fprintf(b, "\nIn brackets: × r1 for A, × r2y for B, C and D, the median of the ratios taken within each run, and their least–greatest.\n")
		if versus := r.versusTable(); len(versus) > 1 {
			fmt.Fprintf(b, "\nHow many times better Rollcall, or its system in brackets, is than each, the median of the ratios taken within each run, and their least–greatest:\n\n")
			write(b, versus)
		}
		fmt.Fprintf(b, "\n%s", r.legend())
	})
}

func (r *report) heading() string {
	hot := ""
	if r.Hot {
		hot = "; during A no core halts"
	}
	return fmt.Sprintf("%s. Client and server are two processes on loopback; every reply is compared with what was sent. Medians of %s of %s each, after %s of warm-up; the systems take turns%s.",
		r.Machine, plural(r.Runs, "run"), r.Duration, r.Warmup, hot)
}

// shown are the metrics of the workloads that were measured.
func (r *report) shown() []metric {
	return slices.DeleteFunc(columns(), func(m metric) bool {
		return !slices.ContainsFunc(r.workloads, func(w workload) bool { return w.Name == m.Workload })
	})
}

// figureTable is a header and a line for each system.
func (r *report) figureTable() [][]string {
	shown := r.shown()
	header := []string{""}
	for _, m := range shown {
		header = append(header, m.Name)
	}
	table := [][]string{header}
	for _, f := range r.Figures {
		line := []string{f.System}
		for _, m := range shown {
			text := ""
			if v, ok := f.Figures[m.Name]; ok {
				text = figure(v.Median)
			}
			if ratio := f.Ratios[m.Name]; ratio != nil && f.System != m.Baseline {
				text += " (" + ratio.String() + ")"
			}
			line = append(line, text)
		}
		table = append(table, line)
	}
	return table
}

// versusTable is a header and a line for each rival.
func (r *report) versusTable() [][]string {
	header := []string{"Rollcall against"}
	var shown []metric
	for _, m := range r.shown() {
		if m.Baseline != "" {
			header = append(header, m.Name)
			shown = append(shown, m)
		}
	}
	table := [][]string{header}
	for _, v := range r.Versus {
		line := []string{v.System}
		if v.Beside != rollcallName {
			line[0] += " (" + v.Beside + ")"
		}
		for _, m := range shown {
			text := ""
			if better := v.Better[m.Name]; better != nil {
				text = better.String()
			}
			line = append(line, text)
		}
		table = append(table, line)
	}
	return table
}

// String returns "1.02; 0.98–1.10", or "1.02" where all figures are one.
func (s *spread) String() string {
	if s == nil {
		return ""
	}
	if s.Min == s.Max {
		return ratio(s.Median)
	}
	return fmt.Sprintf("%s; %s–%s", ratio(s.Median), ratio(s.Min), ratio(s.Max))
}

func ratio(v float64) string {
	if v >= 10 {
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// figure shows three digits or a little more.
func figure(v float64) string {
	switch {
	case v >= 100_000:
		return fmt.Sprintf("%.0fk", v/1000)
	case v >= 10_000:
		return fmt.Sprintf("%.1fk", v/1000)
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// legend tells what the workloads and systems are.
func (r *report) legend() string {
	var b strings.Builder
	for _, w := range r.workloads {
		fmt.Fprintf(&b, "- %v\n", w)
	}
	for _, s := range r.systems {
		version := ""
		if s.Module != "" {
			version = " " + machine.ModuleVersion(s.Module)
		}
		fmt.Fprintf(&b, "- %s%s: %s\n", s.Name, version, s.Measure)
	}
	return b.String()
}

func writeMarkdown(b *strings.Builder, table [][]string) {
	for i, line := range table {
		fmt.Fprintf(b, "| %s |\n", strings.Join(line, " | "))
		if i == 0 {
			fmt.Fprintf(b, "|---|%s\n", strings.Repeat("---:|", len(line)-1))
		}
	}
}

func writeAligned(b *strings.Builder, table [][]string) {
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	for _, line := range table {
		fmt.Fprintln(w, strings.Join(line, "\t"))
	}
	w.Flush() // a Builder takes everything
}
