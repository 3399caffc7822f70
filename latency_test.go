// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"testing"
	"time"
)

func TestLatencyBuckets(t *testing.T) {
	for d := time.Duration(8); d < time.Hour; d += d/7 + 1 {
		top := ceiling(bucket(d))
		if top <= d || top > d+d/8+1 {
			t.Fatalf("%v is in the bucket up to %v", d, top)
		}
		if b := bucket(top); b != bucket(d)+1 {
			t.Fatalf("%v begins bucket %d, %v is in %d", top, b, d, bucket(d))
		}
	}
}

func TestP99OfALateWindow(t *testing.T) {
	now := time.Unix(1000, 0)
	var w latencyWindows
	for range 99 {
		w.add(now, time.Millisecond)
	}
	if got := w.p99(now); got != 0 {
		t.Errorf("of 99 calls: %v, want none", got)
	}
	w.add(now, time.Second)
	w.add(now, time.Second)
	near := func(want time.Duration) {
		t.Helper()
		if got := w.p99(now); got < want || got > want+want/8+1 {
			t.Errorf("got %v, want about %v", got, want)
		}
	}
	near(time.Second) // 2 of 101
	for range 200 {
		w.add(now, time.Millisecond)
	}
	near(time.Millisecond) // 2 of 301
	now = now.Add(latencyWindow)
	for range 101 {
		w.add(now, 10*time.Millisecond)
	}
	near(10 * time.Millisecond)
	now = now.Add(latencyWindow)
	near(10 * time.Millisecond)
	now = now.Add(2 * latencyWindow)
	if got := w.p99(now); got != 0 {
		t.Errorf("of calls long ago: %v, want none", got)
	}
}

func TestLatenciesAreBounded(t *testing.T) {
	var l latencies
	for i := range 2 * maxLatencyMethods {
		l.of(string(rune(i)))
	}
	if n := len(l.byMethod); n != maxLatencyMethods {
		t.Errorf("%d methods are kept apart, want %d", n, maxLatencyMethods)
	}
}
