// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"

	"github.com/rollcall-rpc/rollcall/bench/internal/echo"
	"github.com/rollcall-rpc/rollcall/bench/internal/machine"
)

// A report is what was measured.
type report struct {
	Machine  string  `json:"machine"`
	Runs     int     `json:"runs"`
	Duration string  `json:"duration"`
	Warmup   string  `json:"warmup"`
	Hot      bool    `json:"hot"` // the cores did not halt during workload A
	Cells    []cell  `json:"cells"`
	Figures  []row   `json:"figures"`         // filled by print
	Versus   []rival `json:"rollcall_versus"` // likewise

	workloads []workload
	systems   []echo.System
}

func newReport(p *plan) *report {
	return &report{
		Machine: machine.Line(), Runs: p.runs, Duration: p.duration.String(), Warmup: p.warmup.String(),
		Hot: p.hot, workloads: p.workloads, systems: p.systems,
	}
}

// A metric is one column: a figure of the cells of one workload.
type metric struct {
	Name     string
	Workload string
	Baseline string // the system that ratios are taken to; empty: none
	Lower    bool   // less is better
	get      func(*cell) float64
}

func columns() []metric {
	perS := func(c *cell) float64 { return c.CallsPerS }
	return []metric{
		{Name: "A p50 µs", Workload: "A", Baseline: "r1", Lower: true, get: func(c *cell) float64 { return c.P50US }},
		{Name: "B calls/s", Workload: "B", Baseline: "r2y", get: perS},
		{Name: "B p99 µs", Workload: "B", Baseline: "r2y", Lower: true, get: func(c *cell) float64 { return c.P99US }},
		{Name: "B CPU µs/call", Workload: "B", Baseline: "r2y", Lower: true, get: (*cell).CPUUS},
		{Name: "B allocs/call", Workload: "B", Lower: true, get: func(c *cell) float64 { return c.ClientAllocs }},
		{Name: "C calls/s", Workload: "C", Baseline: "r2y", get: perS},
		{Name: "D MB/s", Workload: "D", Baseline: "r2y", get: func(c *cell) float64 { return c.MBPerS }},
		{Name: "E MB/s", Workload: "E", Baseline: "r2y", get: func(c *cell) float64 { return c.MBPerS }},
	}
}

// A spread is the middle and the ends of the figures of all runs.
type spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// spreadOf returns nil for no figures.
func spreadOf(values []float64) *spread {
	if len(values) == 0 {
		return nil
	}
	v := slices.Sorted(slices.Values(values))
	n := len(v)
	return &spread{Median: (v[(n-1)/2] + v[n/2]) / 2, Min: v[0], Max: v[n-1]}
}

// A row is a system's figures, by metric. Ratio is to the metric's baseline.
type row struct {
	System  string             `json:"system"`
	Figures map[string]spread  `json:"figures"`
	Ratios  map[string]*spread `json:"ratios_to_baseline"`
}

// rollcallName is the system that the others are held against.
const rollcallName = "rollcall"

// A rival is another system as seen from Rollcall: how many times better
// Rollcall is, by metric.
type rival struct {
	System string             `json:"system"`
	Beside string             `json:"beside"` // which of Rollcall's systems it is held against
	Better map[string]*spread `json:"times_better"`
}

// values returns a metric's figures of a system, by run.
func (r *report) values(m *metric, system string) map[int]float64 {
	found := map[int]float64{}
	for i := range r.Cells {
		if c := &r.Cells[i]; c.System == system && c.Workload == m.Workload {
			found[c.Run] = m.get(c)
		}
	}
	return found
}

// ratios divides within each run, which is all that can be compared.
func (r *report) ratios(m *metric, system, to string) []float64 {
	var found []float64
	below := r.values(m, to)
	for run, value := range r.values(m, system) {
		if d := below[run]; d > 0 {
			found = append(found, value/d)
		}
	}
	return found
}

// summarize fills Figures and Versus.
func (r *report) summarize() {
	r.Figures, r.Versus = nil, nil
	for _, s := range r.systems {
		figures := row{System: s.Name, Figures: map[string]spread{}, Ratios: map[string]*spread{}}
		for _, m := range columns() {
			var all []float64
			for _, v := range r.values(&m, s.Name) {
				all = append(all, v)
			}
			if sp := spreadOf(all); sp != nil {
				figures.Figures[m.Name] = *sp
			}
			if m.Baseline == "" {
				continue
			}
			if sp := spreadOf(r.ratios(&m, s.Name, m.Baseline)); sp != nil {
				figures.Ratios[m.Name] = sp
			}
		}
		r.Figures = append(r.Figures, figures)
		besides := s.Beside
		if besides == nil {
			besides = []string{rollcallName}
		}
		for _, beside := range besides {
			if against := r.versus(s.Name, beside); s.Name != beside && len(against.Better) > 0 {
				r.Versus = append(r.Versus, against)
			}
		}
	}
}

// versus holds a system against one of Rollcall's.
func (r *report) versus(system, beside string) rival {
	against := rival{System: system, Beside: beside, Better: map[string]*spread{}}
	for _, m := range columns() {
		if m.Baseline == "" {
			continue
		}
		better := r.ratios(&m, beside, system)
		if m.Lower {
			better = r.ratios(&m, system, beside)
		}
		if sp := spreadOf(better); sp != nil {
			against.Better[m.Name] = sp
		}
	}
	return against
}
