// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package simulation

import (
	"slices"
	"time"
)

// A Result is what a run showed of the calls that began in the scenario's window.
type Result struct {
	Calls   int
	Failed  int // nobody was left to try
	Retried int // attempts beyond the first
	Queue   int // the longest at one server

	Ejections int // by all clients, in the whole run

	ByServer map[string]int // who answered how many

	from      time.Duration
	pending   int
	latencies []time.Duration // sorted at the end
	points    []Point
}

// A Point is a call that was answered.
type Point struct{ Begun, Latency time.Duration }

// Percentile returns the latency that the fraction p of the calls did not exceed.
func (r *Result) Percentile(p float64) time.Duration {
	if len(r.latencies) == 0 {
		return 0
	}
	return r.latencies[min(int(p*float64(len(r.latencies))), len(r.latencies)-1)]
}

// Series returns the percentile for each interval of the run, all of it.
func (r *Result) Series(p float64, interval time.Duration) []Point {
	buckets := make(map[time.Duration][]time.Duration)
	for _, point := range r.points {
		at := point.Begun / interval * interval //nolint:durationcheck // the quotient is a number
		buckets[at] = append(buckets[at], point.Latency)
	}
	series := make([]Point, 0, len(buckets))
	for at, list := range buckets {
		slices.Sort(list)
		series = append(series, Point{at, list[min(int(p*float64(len(list))), len(list)-1)]})
	}
	slices.SortFunc(series, func(a, b Point) int { return int(a.Begun - b.Begun) })
	return series
}

func (r *Result) counts(begun time.Duration) bool { return begun >= r.from }

func (r *Result) count(begun time.Duration) {
	r.pending++
	if r.counts(begun) {
		r.Calls++
	}
}

func (r *Result) fail(begun time.Duration) {
	r.pending--
	if r.counts(begun) {
		r.Failed++
	}
}

func (r *Result) retry(begun time.Duration) {
	if r.counts(begun) {
		r.Retried++
	}
}

func (r *Result) queued(now time.Duration, n int) {
	if r.counts(now) {
		r.Queue = max(r.Queue, n)
	}
}

func (r *Result) answer(begun, now time.Duration, v *server) {
	r.pending--
	r.points = append(r.points, Point{begun, now - begun})
	if !r.counts(begun) {
		return
	}
	r.latencies = append(r.latencies, now-begun)
	if r.ByServer == nil {
		r.ByServer = make(map[string]int)
	}
	r.ByServer[v.id]++
}
