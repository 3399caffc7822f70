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
