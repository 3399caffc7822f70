// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// echoAfter is a perfect server that needs d for each call.
func echoAfter(d time.Duration) Echo {
	return func(payload []byte) ([]byte, error) {
		time.Sleep(d)
		return payload, nil
	}
}

// TestRunWindow counts the calls of the window only, by the fake clock.
func TestRunWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var edges []time.Duration
		start := time.Now()
		mark := func() { edges = append(edges, time.Since(start)) }
		res, err := Run(t.Context(), []Echo{echoAfter(3 * time.Millisecond), echoAfter(30 * time.Millisecond)}, Options{
			SizeBytes: 16, Warmup: time.Second, Duration: 3 * time.Second, Begin: mark, End: mark,
		})
		if err != nil || res.Errors != 0 {
			t.Fatalf("got %v, %d errors (%v)", err, res.Errors, res.Err)
		}
		// The edges fall between two calls or on the end of one.
		if res.Calls < 1099 || res.Calls > 1102 {
			t.Errorf("Calls: got %d, want 1100", res.Calls)
		}
		if res.Elapsed != 3*time.Second {
			t.Errorf("Elapsed: got %v, want 3s", res.Elapsed)
		}
		if len(edges) != 2 || edges[0] != time.Second || edges[1] != 4*time.Second {
			t.Errorf("edges of the window: got %v, want [1s 4s]", edges)
		}
		if got := res.Latency.Quantile(0.5); got != 3*time.Millisecond {
			t.Errorf("p50: got %v, want 3ms", got)
		}
		if got := res.Latency.Max(); got != 30*time.Millisecond {
			t.Errorf("max: got %v, want 30ms", got)
		}
	})
}

// TestRunFindsWrongReplies gives each kind of wrong reply once.
func TestRunFindsWrongReplies(t *testing.T) {
	cases := map[string]func(payload, earlier []byte) ([]byte, error){
		"failed on purpose":  func([]byte, []byte) ([]byte, error) { return nil, errors.New("failed on purpose") },
		"15 bytes for 16":    func(p, _ []byte) ([]byte, error) { return p[:15], nil },
		"byte 0 of 16":       func(_, earlier []byte) ([]byte, error) { return earlier, nil },
		"byte 15 of 16":      func(p, _ []byte) ([]byte, error) { p = append([]byte(nil), p...); p[15] ^= 1; return p, nil },
		"0 bytes for 16":     func([]byte, []byte) ([]byte, error) { return nil, nil },
		"17 bytes for 16":    func(p, _ []byte) ([]byte, error) { return append(p[:16:16], 0), nil },
		"wrong reply: 0 byt": func([]byte, []byte) ([]byte, error) { return []byte{}, nil },
	}
	for want, spoil := range cases {
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
				res, err := Run(t.Context(), []Echo{echo}, Options{SizeBytes: 16, Duration: 100 * time.Millisecond})
				if err != nil {
					t.Fatal(err)
				}
				if res.Errors != 1 || res.Err == nil || !strings.Contains(res.Err.Error(), want) {
					t.Errorf("got %d errors, %v; want 1 that says %q", res.Errors, res.Err, want)
				}
			})
		})
	}
}

// TestRunPayloadsDiffer looks at what callers send: no two payloads are alike.
func TestRunPayloadsDiffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		seen := map[string]bool{}
		echo := func(payload []byte) ([]byte, error) {
			time.Sleep(time.Millisecond)
			mu.Lock()
			defer mu.Unlock()
			if seen[string(payload)] {
				t.Errorf("payload %x was sent before", payload)
			}
			seen[string(payload)] = true
			return payload, nil
		}
		_, err := Run(t.Context(), []Echo{echo, echo, echo}, Options{SizeBytes: 2, Duration: time.Second})
		if err != nil || len(seen) < 2900 {
			t.Errorf("got %v, %d payloads; want about 3000", err, len(seen))
		}
	})
}

// TestRunAbortsWhatHangs ends although a call never returns by itself.
func TestRunAbortsWhatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		aborted := make(chan struct{})
		hangs := func([]byte) ([]byte, error) {
			<-aborted
			return nil, errors.New("aborted")
		}
		start := time.Now()
		res, err := Run(t.Context(), []Echo{hangs, echoAfter(time.Millisecond)}, Options{
			Duration: time.Second, Grace: 2 * time.Second, Abort: func() { close(aborted) },
		})
		if err != nil || res.Errors != 1 {
			t.Errorf("got %v, %d errors; want 1", err, res.Errors)
		}
		if took := time.Since(start); took != 3*time.Second {
			t.Errorf("took %v, want 3s", took)
		}
	})
}

// TestRunInterrupted ends with ctx.
func TestRunInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		res, err := Run(ctx, []Echo{echoAfter(time.Millisecond)}, Options{Warmup: time.Second, Duration: time.Second})
		if !errors.Is(err, context.DeadlineExceeded) || res.Calls != 0 {
			t.Errorf("got %v, %d calls; want the context's error and 0", err, res.Calls)
		}
	})
}

// BenchmarkCall is what the generator itself costs per call: it shows whether
// it is cheap beside what it measures, and that it does not allocate.
func BenchmarkCall(b *testing.B) {
	r := &run{opts: Options{SizeBytes: 1024}, shards: []shard{{recorder: new(Recorder)}}}
	r.phase.Store(measuring)
	b.ReportAllocs()
	r.call(0, 1, func(payload []byte) ([]byte, error) {
		if !b.Loop() {
			r.phase.Store(stopped)
		}
		return payload, nil
	})
}
