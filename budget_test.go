// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"math/rand/v2"
	"testing"
	"time"
)

// takeAll returns how many attempts the budget grants at once.
func takeAll(b *retryBudget, now time.Time) (n int) {
	for b.take(now) {
		n++
	}
	return n
}

func TestRetryBudget(t *testing.T) {
	epoch := time.Unix(0, 0)
	for _, tt := range []struct {
		name  string
		calls int // evenly over the time
		over  time.Duration
		want  int
	}{
		{"at birth", 0, 0, 10},
		{"after 1 s", 0, time.Second, 10},
		{"after 5 s", 0, 5 * time.Second, 50},
		{"idle for long", 0, time.Hour, 100},
		{"20 % of the calls", 1000, 0, 210},
		{"calls of long ago are forgotten", 36000, time.Hour, 100 + 20},
		{"the clock goes back", 0, -time.Hour, 10},
	} {
		b := newRetryBudget(epoch)
		b.calls.Store(uint64(tt.calls))
		if got := takeAll(b, epoch.Add(tt.over)); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
	b := newRetryBudget(epoch)
	b.calls.Store(100)
	b.left(epoch)
	if got, want := b.left(epoch.Add(6*time.Second)), 20./2+60; got != want {
		t.Errorf("what calls earned fades: %v left, want %v", got, want)
	}
}

// However calls and retries come, the budget never grants more than it says.
func TestRetryBudgetNeverExceeds(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	now := time.Unix(0, 0)
	b, begun, calls, granted := newRetryBudget(now), now, 0, 0
	for range 20000 {
		switch r.IntN(3) {
		case 0:
			now = now.Add(time.Duration(r.Int64N(int64(100 * time.Millisecond))))
		case 1:
			for range r.IntN(20) {
				b.called()
				calls++
			}
		case 2:
			for range r.IntN(20) {
				if b.take(now) {
					granted++
				}
			}
		}
		most := retriesPerCall*float64(calls) + RetriesPerSecond*max(1, now.Sub(begun).Seconds())
		if float64(granted) > most+1e-6 {
			t.Fatalf("seed %d: %d granted, at most %v may be", seed, granted, most)
		}
	}
	if granted < calls/20 {
		t.Errorf("seed %d: %d granted for %d calls", seed, granted, calls)
	}
}
