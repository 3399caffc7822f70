// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package simulation

import (
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall/balancer"
)

// These tests hold what the whole simulation shows (docs/balancing.md), with
// shorter runs of one seed.

var (
	oracle         = Contender{}
	p2c            = Contender{Policy: balancer.P2C}
	roundRobin     = Contender{Policy: balancer.RoundRobin}
	bareRoundRobin = Contender{Policy: balancer.RoundRobin, Options: balancer.Options{EjectFor: -1, SlowStart: -1}}
)

// ratio returns how many times the oracle's 99th percentile a contender's is.
func ratio(t *testing.T, s Scenario, c Contender) float64 {
	t.Helper()
	best, got := Run(s, oracle, 7), Run(s, c, 7)
	if got.Failed > 0 || got.Calls < 5000 || len(got.latencies) != got.Calls {
		t.Errorf("%s: got %d of %d calls answered and %d failed, want all", s.Name, len(got.latencies), got.Calls, got.Failed)
	}
	return float64(got.Percentile(0.99)) / float64(best.Percentile(0.99))
}

func until(s Scenario, end time.Duration) Scenario {
	s.until = end
	return s
}

func TestP2CIsNearTheOracle(t *testing.T) {
	for _, tt := range []struct {
		scenario Scenario
		most     float64
	}{
		{until(SlowServer, 12*time.Second), 1.3},
		{until(Slowdown, 20*time.Second), 1.3},
		{until(Busy, 10*time.Second), 1.3},
		{until(ColdStart, 20*time.Second), 1.3},
		{until(Churn, 12*time.Second), 1.3},
	} {
		got := ratio(t, tt.scenario, p2c)
		t.Logf("%s: %.2f", tt.scenario.Name, got)
		if got > tt.most {
			t.Errorf("%s: the 99th percentile is %.2f times the oracle's, want %v at most", tt.scenario.Name, got, tt.most)
		}
	}
	if got := ratio(t, until(SlowServer, 12*time.Second), bareRoundRobin); got < 5 {
		t.Errorf("round robin with a slow server: %.2f times the oracle's, want much: the test is none", got)
	}
}

func TestSlowStartSparesTheCold(t *testing.T) {
	s := until(ColdStart, 20*time.Second)
	with, without := ratio(t, s, roundRobin), ratio(t, s, bareRoundRobin)
	if with > 2 || without < 5*with {
		t.Errorf("round robin: %.2f times the oracle's 99th percentile with slow start, %.2f without; want little and much", with, without)
	}
}

func TestTheFirstOneBackIsNotTrampled(t *testing.T) {
	s := until(Recovery, 20*time.Second)
	best, got := Run(s, oracle, 7), Run(s, p2c, 7)
	if got.Queue > best.Queue*5/4 || got.Percentile(0.99) > best.Percentile(0.99)*3/2 {
		t.Errorf("got a queue of %d and %v, want about the oracle's %d and %v",
			got.Queue, got.Percentile(0.99), best.Queue, best.Percentile(0.99))
	}
	if got.Failed > got.Calls/100 { // before the list says that one is back
		t.Errorf("got %d of %d calls failed, want next to none", got.Failed, got.Calls)
	}
}

func TestTheStarvedAreNotEjected(t *testing.T) {
	if r := Run(Starved, p2c, 7); r.Ejections > 0 || r.Failed > 0 {
		t.Errorf("got %d ejections and %d failed calls of %d, want none", r.Ejections, r.Failed, r.Calls)
	}
	// The test is one: a server that is slow for good is ejected.
	if r := Run(until(SlowServer, 12*time.Second), roundRobin, 7); r.Ejections == 0 {
		t.Error("a slow server: got no ejection")
	}
}

func TestARunDependsOnItsSeedAlone(t *testing.T) {
	s := until(Churn, 10*time.Second)
	a, b, other := Run(s, p2c, 1), Run(s, p2c, 1), Run(s, p2c, 2)
	if a.Calls != b.Calls || a.Percentile(0.5) != b.Percentile(0.5) || a.Percentile(1) != b.Percentile(1) || a.Retried != b.Retried {
		t.Errorf("the same seed: got %d calls and %v, then %d and %v", a.Calls, a.Percentile(1), b.Calls, b.Percentile(1))
	}
	if a.Percentile(0.5) == other.Percentile(0.5) {
		t.Errorf("another seed: got the same median %v", a.Percentile(0.5))
	}
	if got := a.Series(0.99, time.Second); len(got) != 10 || got[3].Begun != 3*time.Second {
		t.Errorf("series: got %v, want a point for each of 10 seconds", got)
	}
}
