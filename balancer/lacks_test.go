// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package balancer

import (
	"strconv"
	"testing"

	"github.com/rollcall-rpc/rollcall/discovery"
)

// lacking returns a roster of n instances.
func lacking(policy Policy, n int) (*Roster, []*Endpoint) {
	r := NewRoster(Options{Policy: policy, Rand: seeded(3)}, Hooks{})
	r.Update(epoch, pods(0, n))
	list := make([]*Endpoint, n)
	for i, es := range r.Snapshot().Endpoints {
		list[i] = es.Endpoint
	}
	return r, list
}

// One server of four has a new method: 44 % of its calls failed, for each call began
// anywhere and gave up after some.
func TestCallsGoWhereTheMethodIs(t *testing.T) {
	forPolicies(t, func(t *testing.T, policy Policy) {
		for _, n := range []int{4, 100} {
			r, list := lacking(policy, n)
			wrong, other := 0, make(map[*Endpoint]int)
			for i := range 10 * n {
				info := PickInfo{Now: epoch, Method: "New", Hash: uint64(i + 1)}
				e := r.Snapshot().Picker.Pick(info)
				if e != list[n/2] {
					wrong++
					r.Lacks(e, "New")
				}
				info.Method = "Old"
				other[r.Snapshot().Picker.Pick(info)]++
			}
			if wrong > n-1 {
				t.Errorf("%d servers: %d calls went where the method is not, want each server asked once at most", n, wrong)
			}
			if len(other) < n*3/4 {
				t.Errorf("%d servers: another method is called at %d of them, want most", n, len(other))
			}
		}
	})
}

func TestWhereNobodyHasTheMethod(t *testing.T) {
	r, list := lacking(P2C, 4)
	for _, e := range list {
		r.Lacks(e, "None")
	}
	var tried []*Endpoint
	for range list {
		e := r.Snapshot().Picker.Pick(PickInfo{Method: "None", Tried: tried})
		if e == nil {
			t.Fatalf("after %d: got nobody, want one that says that there is no such method", len(tried))
		}
		tried = append(tried, e)
	}
	if e := r.Snapshot().Picker.Pick(PickInfo{Method: "None", Tried: tried}); e != nil {
		t.Errorf("after all: got %s", e.Instance.Name)
	}
}

// What an instance lacks is forgotten with its connection.
func TestLacksAreForgotten(t *testing.T) {
	younger := func(r *Roster, e *Endpoint) {
		in := e.Instance
		in.Revision += 100
		r.Update(epoch, discovery.Update{Source: discovery.SourceLive, Instances: []discovery.Instance{in}})
	}
	for name, forget := range map[string]func(*Roster, *Endpoint){
		"died":      func(r *Roster, e *Endpoint) { r.Failed(epoch, e, false) },
		"connected": func(r *Roster, e *Endpoint) { r.Recovered(epoch, e) },
		"restarted": younger,
		"left":      func(r *Roster, e *Endpoint) { r.Draining(epoch, "", e); r.Left(epoch, e) },
		"unlisted": func(r *Roster, e *Endpoint) {
			r.Failed(epoch, e, true)
			r.Update(epoch, pods(1, 1))
			r.Failed(epoch, e, true)
		},
	} {
		r, list := lacking(P2C, 1)
		r.Lacks(list[0], "New")
		r.Lacks(list[0], "New")
		if !list[0].Lacks("New") || list[0].Lacks("Old") || r.watch.lacking.Load() != 1 {
			t.Errorf("%s: told: got %v, %v", name, list[0].Lacks("New"), list[0].Lacks("Old"))
		}
		forget(r, list[0])
		if list[0].Lacks("New") || r.watch.lacking.Load() != 0 {
			t.Errorf("%s: it is still said to lack the method", name)
		}
	}
}

func TestLacksAreBounded(t *testing.T) {
	r, list := lacking(P2C, 1)
	for i := range 10 * maxLacks {
		r.Lacks(list[0], strconv.Itoa(i))
	}
	if got := *list[0].slot.lacks.methods.Load(); len(got) != maxLacks || !list[0].Lacks("639") || list[0].Lacks("575") {
		t.Errorf("got %d noted, want the last %d", len(got), maxLacks)
	}
	if (&Endpoint{}).Lacks("x") {
		t.Error("an endpoint of no roster: it lacks something")
	}
}
