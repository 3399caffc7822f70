// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// openFor runs Open on the fake clock and returns when its calls should have
// begun, in order, since its begin.
func openFor(t *testing.T, d time.Duration, opts OpenOptions, call func()) (moments []time.Duration, shed uint64) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), d)
		defer cancel()
		began := time.Now()
		intended := make(chan time.Time, 100_000)
		shed = Open(ctx, opts, func(at time.Time) {
			intended <- at
			call()
		})
		close(intended)
		for at := range intended {
			moments = append(moments, at.Sub(began))
		}
	})
	slices.Sort(moments) // the calls are concurrent
	return moments, shed
}

func TestOpenRate(t *testing.T) {
	moments, shed := openFor(t, 10*time.Second, OpenOptions{Rate: 1000, Seed: 7}, func() {})
	if len(moments) < 9500 || len(moments) > 10_500 || shed != 0 { // five standard deviations
		t.Errorf("%d calls, %d shed in 10 s; want 10000 and 0", len(moments), shed)
	}
	again, _ := openFor(t, 10*time.Second, OpenOptions{Rate: 1000, Seed: 7}, func() {})
	if diff := cmp.Diff(moments, again); diff != "" {
		t.Errorf("the same seed gives other moments:\n%s", diff)
	}
}

// Calls that hang for a second keep nobody from calling, and are waited for.
func TestOpenDoesNotWait(t *testing.T) {
	var ended atomic.Int64
	moments, shed := openFor(t, time.Second, OpenOptions{Rate: 1000}, func() {
		time.Sleep(time.Second)
		ended.Add(1)
	})
	if len(moments) < 800 || shed != 0 {
		t.Errorf("%d calls, %d shed while all hang; want about 1000 and 0", len(moments), shed)
	}
	if got := ended.Load(); got != int64(len(moments)) {
		t.Errorf("%d of %d calls had ended when Open returned", got, len(moments))
	}
}

func TestOpenSheds(t *testing.T) {
	moments, shed := openFor(t, time.Second, OpenOptions{Rate: 1000, MaxOutstanding: 10}, func() { time.Sleep(time.Hour) })
	if len(moments) != 10 || shed < 800 {
		t.Errorf("%d calls, %d shed; want 10 and the rest of about 1000", len(moments), shed)
	}
}
