// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zookeeper

import "time"

// Refusals are the nodes that the registry does not let us read: for their ACL,
// for the most part; names of entries, and the path of the overrides. Nothing tells when that is over, nor what becomes of them
// meanwhile, for whoever may not read a node is not told of its changes either: so
// they are asked for again. One goroutine owns them.
type refusals struct {
	names map[string]struct{}
	at    time.Time     // when they are asked for again; zero: nothing is refused
	wait  time.Duration // the mean pause before that
}

const (
	refusedMin = 10 * time.Second
	refusedMax = time.Minute
)

// answered notes what the registry has said to a read of a node that is there.
func (r *refusals) answered(name string, err error, now time.Time, rand func() float64) {
	if err == nil {
		r.settled(name)
		return
	}
	if r.names == nil {
		r.names = map[string]struct{}{}
	}
	r.names[name] = struct{}{}
	if r.at.IsZero() {
		r.wait = min(max(2*r.wait, refusedMin), refusedMax)
		r.at = now.Add(spread(r.wait, rand))
	}
}

// settled notes that a node is gone or was read.
func (r *refusals) settled(name string) {
	delete(r.names, name)
	if len(r.names) == 0 {
		*r = refusals{names: r.names}
	}
}

// due returns the nodes that are to be asked for now.
func (r *refusals) due(now time.Time) map[string]struct{} {
	if r.at.IsZero() || now.Before(r.at) {
		return nil
	}
	r.at = time.Time{} // until one is refused again
	return r.names
}
