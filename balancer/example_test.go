// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package balancer_test

import (
	"fmt"
	"time"

	"github.com/rollcall-rpc/rollcall/balancer"
	"github.com/rollcall-rpc/rollcall/discovery"
)

func ExampleRoster() {
	now := time.Now()
	roster := balancer.NewRoster(balancer.Options{Policy: balancer.RoundRobin}, balancer.Hooks{})
	roster.Update(now, discovery.Update{Source: discovery.SourceLive, Instances: []discovery.Instance{
		{Name: "server0000000001", Host: "10.0.0.1", Port: 8001, Weight: 100, Revision: 1},
		{Name: "server0000000002", Host: "10.0.0.2", Port: 8001, Weight: 100, Revision: 2},
	}})

	first := roster.Snapshot().Picker.Pick(balancer.PickInfo{})
	roster.Failed(now, first, true) // its connection was refused

	snapshot := roster.Snapshot()
	second := snapshot.Picker.Pick(balancer.PickInfo{Tried: []*balancer.Endpoint{first}})
	fmt.Println(snapshot.Counts)
	fmt.Println(second != first)

	// Once the pause is over a probe finds it well again.
	due, _ := roster.Next(now)
	for _, e := range roster.Probes(due) {
		roster.Recovered(due, e)
	}
	fmt.Println(roster.Snapshot().Counts)
	// Output:
	// 2 listed: 1 usable, 1 set aside
	// true
	// 2 listed: 2 usable
}
