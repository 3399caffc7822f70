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
	before := make(map[any]balancer.State, len(from.Endpoints))
	for i := range from.Endpoints {
		before[identity(from.Endpoints[i].Endpoint)] = from.Endpoints[i].State
	}
	var list []Change
	for i := range to.Endpoints {
		e := &to.Endpoints[i]
		id := identity(e.Endpoint)
		if was := before[id]; was != e.State {
			list = append(list, Change{Endpoint: e.Endpoint, From: was, To: e.State, Ejection: e.Ejection})
		}
		delete(before, id)
	}
	for i := range from.Endpoints {
		e := &from.Endpoints[i]
		if _, gone := before[identity(e.Endpoint)]; gone {
			list = append(list, Change{Endpoint: e.Endpoint, From: e.State})
		}
	}
	return list
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
