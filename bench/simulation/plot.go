// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"

	"github.com/rollcall-rpc/rollcall/internal/simulation"
)

// fileName returns the name of a scenario's plot.
func fileName(scenario string) string { return strings.ReplaceAll(scenario, " ", "-") + ".svg" }

// plotScenario draws the 99th percentile of each second of the first run.
func plotScenario(file string, s simulation.Scenario, rows []row) error {
	p := plot.New()
	p.Title.Text = s.Name
	p.X.Label.Text = "s"
	p.Y.Label.Text = "p99 of the calls begun in a second, ms"
	p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	p.Legend.Top = true
	p.Add(plotter.NewGrid())
	for i, r := range rows {
		series := r.runs[0].Series(0.99, time.Second)
		points := make(plotter.XYs, len(series))
		for j, point := range series {
			points[j].X = point.Begun.Seconds()
			points[j].Y = float64(point.Latency) / float64(time.Millisecond)
		}
		line, err := plotter.NewLine(points)
		if err != nil {
			return err
		}
		line.Color = plotutil.Color(i)
		line.Dashes = plotutil.Dashes(i / len(plotutil.DefaultColors)) // the first set is a line
		if i == 0 {
			line.Width = vg.Points(2.5)
		}
		p.Add(line)
		p.Legend.Add(r.name, line)
	}
	return p.Save(20*vg.Centimeter, 10*vg.Centimeter, file)
}
