// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"time"

	"github.com/rollcall-rpc/rollcall/balancer"
	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/members"
)

// A service is what all calls of a client share: who is there to answer, and what
// may be spent on it.
type service struct {
	target  string
	members *members.Set
	budget  *retryBudget
	times   latencies // of hedged methods
	group   *group
	events  *ClientEvents
}

// report tells what a call was based on.
func (s *service) report(method string, snap *balancer.Snapshot, attempts []Attempt) Report {
	age := time.Duration(-1)
	if snap.Source == discovery.SourceLive || snap.Source == discovery.SourceStatic {
		age = 0
	} else if !snap.Confirmed.IsZero() {
		age = time.Since(snap.Confirmed)
	}
	return Report{
		Target: s.target, Method: method, Source: snap.Source, ListAge: age,
		SourceErr: snap.Err, Counts: snap.Counts, Panic: snap.Panic, Attempts: attempts,
	}
}
