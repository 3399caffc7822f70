// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package balancer

import (
	"slices"
	"time"

	"github.com/rollcall-rpc/rollcall/discovery"
)

// A Snapshot is what a [Roster] knows at one moment. It is immutable and may be
// used from any goroutine.
type Snapshot struct {
	Picker Picker // never nil
	Panic  bool   // fewer than half of the members are usable; see the package documentation
	Counts Counts

	Source    discovery.Source // of the last update
	Confirmed time.Time        // of the last update
	Err       error            // of the last update

	// Endpoints are all that are known: the listed ones in the list's order,
	// then those that linger or leave.
	Endpoints []EndpointState
}

// Snapshot returns the present state. It is the same Snapshot until something
// changes, and its Picker goes on until the candidates change.
func (r *Roster) Snapshot() *Snapshot {
	r.settle()
	if !r.changed && !r.sourceChanged {
		return r.snapshot
	}
	next := *r.snapshot
	if r.changed {
		r.reweigh()
		next.Counts, next.Panic = r.counts, 2*r.counts.Usable < r.members
		next.Endpoints = slices.Clone(r.shown)
		if r.choose(next.Panic) {
			next.Picker = r.picker()
		}
	}
	next.Source, next.Confirmed, next.Err = r.source, r.confirmed, r.err
	next.Counts.Skipped = r.skipped
	r.changed, r.sourceChanged = false, false
	r.snapshot = &next
	return r.snapshot
}
