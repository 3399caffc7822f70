// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package balancer_test

import (
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall/balancer"
	"github.com/rollcall-rpc/rollcall/discovery"
)

// A nearest policy has another one pick among those of a zone.
type nearest struct {
	balancer.Policy
	zone string
}

func (n nearest) NewPicker(list []balancer.Candidate, rnd func() float64) balancer.Picker {
	var near []balancer.Candidate
	for _, c := range list {
		if c.Endpoint.Instance.Zone == n.zone {
			near = append(near, c)
		}
	}
	return n.Policy.NewPicker(near, rnd)
}

// After the first change the Picker that a user's policy had another one make was
// succeeded by that one's, among all candidates.
func TestAUsersPolicyIsAskedForEachPicker(t *testing.T) {
	for _, policy := range []balancer.Policy{balancer.P2C, balancer.RingHash} {
		r := balancer.NewRoster(balancer.Options{Policy: nearest{policy, "here"}}, balancer.Hooks{})
		now := time.Unix(0, 0)
		var u discovery.Update
		for i, zone := range []string{"here", "there", "here", "there", "there", "here"} {
			name := string(rune('a' + i))
			u.Instances = append(u.Instances, discovery.Instance{Name: name, ID: name, Host: name, Port: 1, Weight: 100, Zone: zone})
		}
		r.Update(now, u)
		for i := range 50 {
			s := r.Snapshot()
			if e := s.Picker.Pick(balancer.PickInfo{Hash: uint64(i + 1), Now: now}); e == nil || e.Instance.Zone != "here" {
				t.Fatalf("%s, change %d: got %v, want one that is here", policy.Name(), i, e)
			}
			r.Silent(now, s.Endpoints[i%3].Endpoint, i/3%2 == 0)
		}
	}
}
