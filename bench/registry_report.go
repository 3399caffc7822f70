// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/rollcall-rpc/rollcall/bench/internal/machine"
	"github.com/rollcall-rpc/rollcall/bench/internal/registry"
)

// A registryReport is what was measured of registries.
type registryReport struct {
	Machine  string           `json:"machine"`
	Runs     int              `json:"runs"`
	Duration string           `json:"duration"`
	Warmup   string           `json:"warmup"`
	Heat     string           `json:"heat"`
	Samples  []registrySample `json:"samples"`
	Rows     []registryRow    `json:"rows"` // filled by print

	systems []registry.System // ours, Apache ZooKeeper, and sockets alone if they were measured
	figures []registry.Figure
}

// A registrySample is a figure of one system in one run.
type registrySample struct {
	Run    int     `json:"run"` // from 0
	System string  `json:"system"`
	Figure string  `json:"figure"`
	Value  float64 `json:"value"`
}

// A registryRow is a line of the table.
type registryRow struct {
	Figure string  `json:"figure"`
	Unit   string  `json:"unit,omitempty"`
	Ours   *spread `json:"rollcall"`
	Theirs *spread `json:"apache"`
	Ratio  *spread `json:"ratio"`         // ours to theirs, within each run
	Least  *spread `json:"sockets"`       // of sockets alone to theirs, nil: not measured
	Asked  string  `json:"bar,omitempty"` // of the ratio, or of ours
	Met    bool    `json:"met"`
}

func newRegistryReport(p *registryPlan, benches []*registry.Bench) *registryReport {
	rep := &registryReport{
		Machine: machine.Line(), Runs: p.runs, Duration: p.duration.String(), Warmup: p.warmup.String(), Heat: p.heat.String(),
	}
	for _, b := range benches {
		rep.systems = append(rep.systems, b.System)
	}
	for i := range p.probes {
		rep.figures = append(rep.figures, p.probes[i].Figures...)
	}
	return rep
}

// values returns a figure of a system, by run.
func (r *registryReport) values(figure, system string) map[int]float64 {
	found := map[int]float64{}
	for _, s := range r.Samples {
		if s.Figure == figure && s.System == system {
			found[s.Run] = s.Value
		}
	}
	return found
}

// summarize fills Rows.
func (r *registryReport) summarize() {
	r.Rows = nil
	for i := range r.figures {
		f := &r.figures[i]
		ours, theirs := r.values(f.Name, r.systems[0].Name), r.values(f.Name, r.systems[1].Name)
		row := registryRow{
			Figure: f.Name, Unit: f.Unit, Ours: spreadOf(slices.Collect(maps.Values(ours))), Theirs: spreadOf(slices.Collect(maps.Values(theirs))),
			Ratio: ratiosOf(ours, theirs), Asked: asked(f),
		}
		if len(r.systems) > 2 {
			row.Least = ratiosOf(r.values(f.Name, r.systems[2].Name), theirs)
		}
		if row.Ratio == nil {
			continue
		}
		row.Met = f.Met(row.Ours.Median, row.Ratio.Median)
		r.Rows = append(r.Rows, row)
	}
}

// ratiosOf returns the ratios within each run, nil if there is none.
func ratiosOf(a, b map[int]float64) *spread {
	var ratios []float64
	for run, v := range a {
		if d := b[run]; d > 0 {
			ratios = append(ratios, v/d)
		}
	}
	return spreadOf(ratios)
}

// asked is how a bar is written.
func asked(f *registry.Figure) string {
	switch {
	case f.Limit > 0:
		return fmt.Sprintf("≤ %g %s", f.Limit, f.Unit)
	case f.Bar == 0:
		return ""
	case f.More:
		return fmt.Sprintf("≥ %g", f.Bar)
	}
	return fmt.Sprintf("≤ %g", f.Bar)
}

// print writes the report in one of the kinds of output.
func (r *registryReport) print(w io.Writer, output string) error {
	r.summarize()
	return printAs(w, output, r, func(b *strings.Builder, write tableWriter) {
		fmt.Fprintf(b, "%s\n\n", r.heading())
		write(b, r.table())
		b.WriteByte('\n')
		for _, s := range r.systems {
			fmt.Fprintf(b, "- %s: %s\n", s.Name, s.Measure)
		}
	})
}

func (r *registryReport) heading() string {
	return fmt.Sprintf("%s. Client and server are two processes on loopback; every reply is checked. Medians of %s of %s each, after %s of warm-up and, once, %s of load; the systems take turns. Ratio: ours to Apache's within each run, the median and the least–greatest.",
		r.Machine, plural(r.Runs, "run"), r.Duration, r.Warmup, r.Heat)
}

func (r *registryReport) table() [][]string {
	table := [][]string{{"", r.systems[0].Name, r.systems[1].Name, "ratio", "asked", "", "ratio of sockets alone"}}
	for i := range r.Rows {
		row := &r.Rows[i]
		verdict := ""
		if row.Asked != "" && !row.Met {
			verdict = "missed"
		}
		table = append(table, []string{
			row.Figure, withUnit(row.Ours, row.Unit), withUnit(row.Theirs, row.Unit), row.Ratio.String(), row.Asked, verdict, row.Least.String(),
		})
	}
	return table
}

func withUnit(s *spread, unit string) string { return strings.TrimSpace(figure(s.Median) + " " + unit) }
