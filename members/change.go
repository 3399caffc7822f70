// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package members

import "github.com/rollcall-rpc/rollcall/balancer"

// A Change is what happened to one instance between two snapshots.
type Change struct {
	Endpoint *balancer.Endpoint // the later one, where there are two
	From, To balancer.State     // 0 as From: it was not known; as To: it is forgotten
	Ejection *balancer.Ejection // why, where To is StateEjected; else nil
}

// Changes returns what happened to the instances between two snapshots of one Set:
// who came and changed, in the order of the later one, then who was forgotten, in
// that of the earlier one. An instance is known by its Peer, which stays when its
// entry is another one; without Peers by its ID, or its address where it has none.
func Changes(from, to *balancer.Snapshot) []Change {
	var list []Change
	// Most often the list is the same, and nobody need be looked for.
	same := 0
	for same < min(len(from.Endpoints), len(to.Endpoints)) {
		was, now := &from.Endpoints[same], &to.Endpoints[same]
		if was.Endpoint != now.Endpoint && identity(was.Endpoint) != identity(now.Endpoint) {
			break
		}
		list = note(list, was.State, now)
		same++
	}
	earlier, later := from.Endpoints[same:], to.Endpoints[same:]
	before := make(map[any]balancer.State, len(earlier))
	for i := range earlier {
		before[identity(earlier[i].Endpoint)] = earlier[i].State
	}
	for i := range later {
		id := identity(later[i].Endpoint)
		list = note(list, before[id], &later[i])
		delete(before, id)
	}
	for i := range earlier {
		e := &earlier[i]
		if _, gone := before[identity(e.Endpoint)]; gone {
			list = append(list, Change{Endpoint: e.Endpoint, From: e.State})
		}
	}
	return list
}

// note adds what happened to an instance, if its state is another one.
func note(list []Change, was balancer.State, now *balancer.EndpointState) []Change {
	if was == now.State {
		return list
	}
	return append(list, Change{Endpoint: now.Endpoint, From: was, To: now.State, Ejection: now.Ejection})
}

func identity(e *balancer.Endpoint) any {
	switch {
	case e.Owner != nil:
		return e.Owner
	case e.Instance.ID != "":
		return e.Instance.ID
	}
	return e.Instance.Addr()
}
