// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zookeeper

import (
	"cmp"
	"slices"

	"github.com/rollcall-rpc/rollcall/discovery"
)

// A candidate is a node that matters to a registration: its own, or a twin.
type candidate struct {
	name    string
	czxid   int64
	version int32
	owner   int64 // the session; 0: none
	mine    bool  // in our session, with our identity, and no other registration's
	current bool  // holds our data; only with mine
}

// An observation is all that the next step of a registration depends on.
type observation struct {
	wanted  bool
	name    string          // the node that was ours; empty: none
	czxid   int64           // of the last node that was ours; 0: never had one
	cleared map[string]bool // the elder twins that were dealt with already
	nodes   []candidate

	had     bool // there ever was a node that was ours
	expired bool // the session that it was ours in is not the one of now
	wiped   bool // the directory is not the one that it was in
}

// An action is the next step towards what is wanted.
type action struct {
	verb     verb
	node     candidate // what to delete; with rest, the node that is ours
	conflict string    // the younger twin of another live owner

	loss discovery.Loss // why there is no node with our data though there was one; else 0
}

// A verb says what to do.
type verb uint8

const (
	rest        verb = iota + 1 // nothing: things are as they should be
	create                      // create our node
	deleteOwn                   // delete a node of ours
	deleteElder                 // delete the elder twin
)

// decide is the whole of a registration's judgement. It is pure; applied again
// and again to what each action leads to it comes to rest.
//
// What is wanted is one node: ours, with our data. Of several the one we know
// stays, else the first. Without one it is created, unless a twin of another
// live session has come after our last: then that one is the instance, and we
// wait for its end. Elder twins are deleted once, after ours is there.
func decide(o observation) action {
	nodes := slices.Clone(o.nodes)
	slices.SortFunc(nodes, func(a, b candidate) int { return cmp.Or(cmp.Compare(a.czxid, b.czxid), cmp.Compare(a.name, b.name)) })
	var own *candidate
	var conflict string
	var loss discovery.Loss
	if o.wanted {
		own = keep(o, nodes)
		if own == nil && o.czxid != 0 {
			conflict = younger(nodes, o.czxid)
		}
		if own == nil {
			loss = lossOf(o, nodes, conflict)
		}
		if own == nil && conflict == "" {
			return action{verb: create, loss: loss}
		}
	}
	for _, n := range nodes {
		if n.mine && (own == nil || n.name != own.name) {
			return action{verb: deleteOwn, node: n, loss: loss}
		}
	}
	if own == nil {
		return action{verb: rest, conflict: conflict, loss: loss}
	}
	for _, n := range nodes {
		if !n.mine && n.czxid < own.czxid && !o.cleared[n.name] {
			return action{verb: deleteElder, node: n}
		}
	}
	return action{verb: rest, node: *own, conflict: younger(nodes, own.czxid)}
}

// lossOf returns why there is no node with our data, 0 where there never was.
// What explains most comes first: a wiped registry ends sessions too, and the end
// of a session deletes its nodes.
func lossOf(o observation, nodes []candidate, conflict string) discovery.Loss {
	switch {
	case !o.had:
		return 0
	case o.wiped:
		return discovery.LossWiped
	case o.expired:
		return discovery.LossExpired
	case slices.ContainsFunc(nodes, func(c candidate) bool { return c.mine && c.name == o.name }):
		return discovery.LossChanged
	case conflict != "":
		return discovery.LossReplaced
	}
	return discovery.LossDeleted
}

// keep returns the node that is to stay ours, or nil.
func keep(o observation, nodes []candidate) *candidate {
	var own *candidate
	for i := range nodes {
		n := &nodes[i]
		if n.mine && n.current && (own == nil || n.name == o.name) {
			own = n
		}
	}
	return own
}

// younger returns the youngest twin of another live session that was created
// after czxid, or "".
func younger(nodes []candidate, czxid int64) string {
	for _, n := range slices.Backward(nodes) {
		if !n.mine && n.owner != 0 && n.czxid > czxid {
			return n.name
		}
	}
	return ""
}
