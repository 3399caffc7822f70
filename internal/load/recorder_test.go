// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// latencies draws from every tier, and often from its edges.
func latencies() *rapid.Generator[time.Duration] {
	edges := []time.Duration{
		0, 99, 100, fineBound - 1, fineBound, fineBound + 1, fineBound + coarseStep,
		coarseBound - 1, coarseBound, coarseBound + 1, math.MaxInt64,
	}
	return rapid.OneOf(
		rapid.SampledFrom(edges),
		rapid.Map(rapid.Int64Range(0, int64(fineBound)), func(n int64) time.Duration { return time.Duration(n) }),
		rapid.Map(rapid.Int64Range(0, int64(2*coarseBound)), func(n int64) time.Duration { return time.Duration(n) }),
	)
}

// rounded is what the documentation of Recorder promises.
func rounded(d time.Duration) time.Duration {
	switch {
	case d < 400*time.Microsecond:
		return d - d%100
	case d < 16*time.Millisecond:
		return d - d%1000
	}
	return d
}

// TestRecorderExact compares quantiles with those of the sorted latencies.
func TestRecorderExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOfN(latencies(), 1, 300).Draw(t, "latencies")
		parts := [3]Recorder{}
		for i, d := range all {
			parts[i%3].Add(d)
		}
		var r Recorder
		for i := range parts {
			r.Merge(&parts[i])
		}
		slices.Sort(all)
		if got, want := r.Count(), uint64(len(all)); got != want {
			t.Fatalf("Count: got %d, want %d", got, want)
		}
		if got, want := r.Max(), all[len(all)-1]; got != want {
			t.Fatalf("Max: got %v, want %v", got, want)
		}
		for _, q := range []float64{0, 0.001, 0.25, 0.5, 0.75, 0.99, 0.999, 1, rapid.Float64Range(0, 1).Draw(t, "q")} {
			rank := max(int(math.Ceil(q*float64(len(all)))), 1)
			if got, want := r.Quantile(q), rounded(all[rank-1]); got != want {
				t.Fatalf("Quantile(%v) of %v: got %v, want %v", q, all, got, want)
			}
		}
	})
}

func TestRecorderEmpty(t *testing.T) {
	var r Recorder
	if got := r.Quantile(0.5); got != 0 {
		t.Errorf("Quantile of nothing: got %v, want 0", got)
	}
}

func TestRecorderNegative(t *testing.T) {
	var r Recorder
	r.Add(-time.Second)
	if got := r.Quantile(1); got != 0 {
		t.Errorf("a negative latency: got %v, want 0", got)
	}
}
