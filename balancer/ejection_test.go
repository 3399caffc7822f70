// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package balancer

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall/discovery"
)

func TestEjectionString(t *testing.T) {
	for _, tt := range []struct {
		why  Ejection
		want string
	}{
		{Ejection{Cause: CauseFailures, Failures: 7}, "7 failures in a row"},
		{Ejection{Cause: CauseFailures, Failures: 1}, "a failure on trial"},
		{Ejection{Cause: CauseFailureRate, Failed: 0.4, OthersFailed: 0.012}, "40 % of the attempts failed, 1 % of the others'"},
		{Ejection{Cause: CauseLatency, Latency: 812345 * time.Microsecond, OthersLatency: 9 * time.Millisecond}, "latency 812ms, of the others 9ms"},
		{Ejection{}, "unknown"},
	} {
		if got := tt.why.String(); got != tt.want {
			t.Errorf("%+v: got %q, want %q", tt.why, got, tt.want)
		}
	}
}

// failing returns a roster of n instances of which the first bad have failed
// often enough to be ejected, reviewed.
func failing(n, bad int, opts Options) *Roster {
	r := NewRoster(opts, Hooks{})
	u := discovery.Update{Source: discovery.SourceLive}
	for i := range n {
		u.Instances = append(u.Instances, discovery.Instance{Name: strconv.Itoa(i), Host: fmt.Sprint("h", i), Port: 1, Weight: 1})
	}
	r.Update(epoch, u)
	for _, es := range r.Snapshot().Endpoints[:bad] {
		for range DefaultEjectAfter {
			es.Endpoint.Start(epoch)
			es.Endpoint.Finish(epoch, 1, OutcomeError)
		}
	}
	r.Tick(epoch)
	return r
}

func TestEjectionIsBounded(t *testing.T) {
	for _, tt := range []struct{ n, bad, percent, want int }{
		{1, 1, 0, 0},
		{2, 1, 0, 1},
		{2, 2, 0, 1},
		{5, 3, 0, 1},
		{20, 20, 0, 2},
		{100, 100, 0, 10},
		{10, 10, 30, 3},
		{10, 10, 100, 5}, // more would be panic
		{3, 3, 100, 1},
	} {
		s := failing(tt.n, tt.bad, Options{EjectPercent: tt.percent}).Snapshot()
		if s.Counts.Ejected != tt.want || s.Panic {
			t.Errorf("%d of %d fail, %d %%: got %v, panic %v, want %d ejected", tt.bad, tt.n, tt.percent, s.Counts, s.Panic, tt.want)
		}
	}
}

func TestEjectionsGrowAndAreForgiven(t *testing.T) {
	r := failing(3, 1, Options{})
	now := epoch
	e := r.Snapshot().Endpoints[0].Endpoint
	again := func() time.Duration {
		es := r.Snapshot().Endpoints[0]
		if es.State != StateEjected {
			t.Fatalf("got %v, want ejected", es.State)
		}
		pause := es.Until.Sub(now)
		now = es.Until
		r.Tick(now)
		e.Start(now)
		e.Finish(now, 1, OutcomeError)
		r.Tick(now)
		return pause
	}
	for n := 1; n <= 40; n++ {
		if got, want := again(), min(time.Duration(n)*10*time.Second, 5*time.Minute); got != want {
			t.Errorf("ejection %d: got %v, want %v", n, got, want)
		}
	}
	// Ejected for the 41st time; let in again, and well for half an hour.
	now = r.Snapshot().Endpoints[0].Until
	r.Tick(now)
	now = now.Add(30 * time.Minute)
	r.Tick(now)
	for range DefaultEjectAfter {
		e.Start(now)
		e.Finish(now, 1, OutcomeError)
	}
	r.Tick(now)
	if got := again(); got != 120*time.Second {
		t.Errorf("after 30 minutes without: got %v, want that of the 12th time, 2m0s", got)
	}
}
