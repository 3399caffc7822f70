// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// TestLatenciesExact compares quantiles with those of the sorted latencies.
func TestLatenciesExact(t *testing.T) {
	rounded := func(d time.Duration) time.Duration {
		switch {
		case d < 400*time.Microsecond:
			return d - d%100
		case d < 16*time.Millisecond:
			return d - d%1000
		}
		return d
	}
	draw := rapid.OneOf(
		rapid.SampledFrom([]time.Duration{0, 99, 100, fineBound - 1, fineBound, coarseBound - 1, coarseBound, math.MaxInt64}),
		rapid.Map(rapid.Int64Range(0, int64(fineBound)), func(n int64) time.Duration { return time.Duration(n) }),
		rapid.Map(rapid.Int64Range(0, int64(2*coarseBound)), func(n int64) time.Duration { return time.Duration(n) }),
	)
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOfN(draw, 1, 300).Draw(t, "latencies")
		var l, other latencies
		for i, d := range all {
			if i%2 == 0 {
				l.add(d)
			} else {
				other.add(d)
			}
		}
		l.merge(&other)
		slices.Sort(all)
		if l.total() != uint64(len(all)) || l.longest() != all[len(all)-1] {
			t.Fatalf("got %d, the longest %v; want %d, %v", l.total(), l.longest(), len(all), all[len(all)-1])
		}
		for _, q := range []float64{0, 0.5, 0.99, 0.999, 1, rapid.Float64Range(0, 1).Draw(t, "q")} {
			rank := max(int(math.Ceil(q*float64(len(all)))), 1)
			if got, want := l.quantile(q), rounded(all[rank-1]); got != want {
				t.Fatalf("quantile %v of %v: got %v, want %v", q, all, got, want)
			}
		}
	})
}

// TestLoadWindow counts by the fake clock: of 5 s those after the first one.
func TestLoadWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		echo := func(payload []byte) ([]byte, error) {
			time.Sleep(3 * time.Millisecond)
			return payload, nil
		}
		res, err := runLoad(t.Context(), []echoFunc{echo, echo}, loadOptions{sizeBytes: 16, warmup: time.Second, duration: 3 * time.Second})
		if err != nil || res.errors != 0 || res.elapsed != 3*time.Second {
			t.Fatalf("got %v, %d errors (%v), %v", err, res.errors, res.err, res.elapsed)
		}
		// The edges fall between two calls or on the end of one.
		if res.calls < 1999 || res.calls > 2001 {
			t.Errorf("got %d calls, want 2000", res.calls)
		}
		if got := res.latency.quantile(0.5); got != 3*time.Millisecond {
			t.Errorf("p50: got %v, want 3ms", got)
		}
	})
}

// TestLoadFindsWrongReplies gives each kind of wrong reply once.
func TestLoadFindsWrongReplies(t *testing.T) {
	for want, spoil := range map[string]func(payload, earlier []byte) ([]byte, error){
		"on purpose":      func([]byte, []byte) ([]byte, error) { return nil, errors.New("on purpose") },
		"15 bytes for 16": func(p, _ []byte) ([]byte, error) { return p[:15], nil },
		"byte 0 of 16":    func(_, earlier []byte) ([]byte, error) { return earlier, nil },
		"byte 15 of 16": func(p, _ []byte) ([]byte, error) {
			p = slices.Clone(p)
			p[15] ^= 1
			return p, nil
		},
	} {
		t.Run(want, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := 0
				var earlier []byte
				echo := func(payload []byte) ([]byte, error) {
					time.Sleep(time.Millisecond)
					if n++; n == 50 {
						return spoil(payload, earlier)
					}
					earlier = append(earlier[:0], payload...)
					return payload, nil
				}
				res, err := runLoad(t.Context(), []echoFunc{echo}, loadOptions{sizeBytes: 16, duration: 100 * time.Millisecond})
				if err != nil || res.errors != 1 || res.err == nil || !strings.Contains(res.err.Error(), want) {
					t.Errorf("got %v, %d errors, %v; want 1 that says %q", err, res.errors, res.err, want)
				}
			})
		})
	}
}

// TestLoadAbortsWhatHangs ends although a call never returns by itself.
func TestLoadAbortsWhatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		aborted := make(chan struct{})
		hangs := func([]byte) ([]byte, error) {
			<-aborted
			return nil, errors.New("aborted")
		}
		res, err := runLoad(t.Context(), []echoFunc{hangs}, loadOptions{duration: time.Second, grace: time.Second, abort: func() { close(aborted) }})
		if err != nil || res.errors != 1 {
			t.Errorf("got %v, %d errors; want 1", err, res.errors)
		}
	})
}

// BenchmarkLoad is what the generator itself costs per call; it does not
// allocate.
func BenchmarkLoad(b *testing.B) {
	r := &loadRun{opts: loadOptions{sizeBytes: 1024}, shards: []loadShard{{recorder: new(latencies)}}}
	r.phase.Store(measuring)
	b.ReportAllocs()
	r.call(0, 1, func(payload []byte) ([]byte, error) {
		if !b.Loop() {
			r.phase.Store(stopped)
		}
		return payload, nil
	})
}
