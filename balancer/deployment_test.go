// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package balancer

import (
	"fmt"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall/discovery"
)

// pods returns a live list of n instances at addresses that no other round has.
func pods(round, n int) discovery.Update {
	u := discovery.Update{Source: discovery.SourceLive}
	for i := range n {
		name := fmt.Sprint("pod-", round, "-", i)
		u.Instances = append(u.Instances, discovery.Instance{Name: name, ID: name, Host: name, Port: 1, Weight: 100, Revision: int64(round*n + i + 1)})
	}
	return u
}

// Two deployments within LingerFor were a panic at the first failure: 63 of 301
// calls went to addresses that were gone, and those who had left piled up.
func TestDeploymentsAreNoPanic(t *testing.T) {
	const n = 300
	connected := 0
	r := NewRoster(Options{}, Hooks{
		Attach: func(*Endpoint) any { connected++; return nil },
		Detach: func(*Endpoint) { connected-- },
	})
	for round := range 50 {
		now := epoch.Add(time.Duration(round) * 10 * time.Second)
		r.Update(now, pods(round, n))
		for _, es := range r.Snapshot().Endpoints[:n] {
			r.Recovered(now, es.Endpoint)
		}
		r.Failed(now, r.Snapshot().Endpoints[0].Endpoint, true)
		s := r.Snapshot()
		if s.Panic || s.Counts.Lingering > n || connected > 2*n {
			t.Fatalf("deployment %d: %v, panic %v, %d connected, want no panic and %d lingering at most", round, s.Counts, s.Panic, connected, n)
		}
		for range 301 {
			if e := s.Picker.Pick(PickInfo{Now: now}); !e.slot.listed {
				t.Fatalf("deployment %d: a call goes to %s, which is gone", round, e.Instance.Name)
			}
		}
	}
	// A list that is emptied is another thing: all that it held are called.
	r.Update(epoch.Add(time.Hour), discovery.Update{Source: discovery.SourceLive})
	if s := r.Snapshot(); !s.Panic || s.Counts.Lingering < n-1 {
		t.Errorf("emptied: got %v, panic %v, want all called", s.Counts, s.Panic)
	}
}

// Entries that are deleted one by one, as by hand, are kept all the same.
func TestAListEmptiedOneByOne(t *testing.T) {
	const n = 30
	r := NewRoster(Options{}, Hooks{})
	u := pods(0, n)
	for len(u.Instances) > 0 {
		r.Update(epoch, u)
		u.Instances = u.Instances[1:]
		s := r.Snapshot()
		if s.Counts.Usable+s.Counts.Lingering != n {
			t.Fatalf("with %d listed: got %v, want all known", len(u.Instances)+1, s.Counts)
		}
		if listed := s.Counts.Usable; s.Panic != (2*listed < n) {
			t.Errorf("with %d of %d listed: got panic %v", listed, n, s.Panic)
		}
	}
}

// The table of docs/balancing.md: what a list of ten becomes, and who is called then.
func TestDeploymentsAndDisasters(t *testing.T) {
	const n = 10
	others := func(n int) discovery.Update { return pods(1, n) }
	fewer := func(n int) discovery.Update {
		u := pods(0, 10)
		u.Instances = u.Instances[:n]
		return u
	}
	stale := func(u discovery.Update) discovery.Update {
		u.Source = discovery.SourceStale
		return u
	}
	for _, tt := range []struct {
		what        string
		lists       []discovery.Update
		apart       time.Duration
		panic       bool
		first, then int // how many are called at first, and how many more when those fail
	}{
		{"all ten replaced by ten others", []discovery.Update{others(10)}, 0, false, 10, 10},
		{"all ten replaced by five others", []discovery.Update{others(5)}, 0, false, 5, 5},
		{"all ten replaced by four others", []discovery.Update{others(4)}, 0, true, 14, 0},
		{"six are left", []discovery.Update{fewer(6)}, 0, false, 6, 4},
		{"five are left", []discovery.Update{fewer(5)}, 0, false, 5, 5},
		{"four are left", []discovery.Update{fewer(4)}, 0, true, 10, 0},
		{"six are left, after 11 minutes three", []discovery.Update{fewer(6), fewer(6), fewer(3)}, 11 * time.Minute, false, 3, 3},
		{"nobody is left", []discovery.Update{fewer(0)}, 0, true, 10, 0},
		{"nobody is left, then all are back", []discovery.Update{fewer(0), fewer(10)}, time.Second, false, 10, 0},
		{"the registry is out of sight", []discovery.Update{stale(fewer(10))}, 0, false, 10, 0},
	} {
		r := NewRoster(Options{}, Hooks{})
		now := epoch
		r.Update(now, pods(0, n))
		for _, u := range tt.lists {
			now = now.Add(tt.apart)
			r.Tick(now)
			r.Update(now, u)
		}
		s := r.Snapshot()
		first := len(r.tiers[0].list)
		var tried []*Endpoint
		for {
			e := s.Picker.Pick(PickInfo{Now: now, Tried: tried})
			if e == nil {
				break
			}
			tried = append(tried, e)
		}
		t.Logf("| %s | %v | %v | %d | %d |", tt.what, s.Counts, s.Panic, first, len(tried)-first)
		if s.Panic != tt.panic || first != tt.first || len(tried)-first != tt.then {
			t.Errorf("%s: got panic %v, %d called and then %d, want %v, %d and %d", tt.what, s.Panic, first, len(tried)-first, tt.panic, tt.first, tt.then)
		}
	}
}
