// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package balancer

import (
	"time"

	"github.com/rollcall-rpc/rollcall/discovery"
)

// A Roster keeps what is known about the instances of one service. Its methods
// must not be called concurrently.
type Roster struct {
	opts  Options
	byKey map[key]*slot
	slots []*slot // the listed ones in the list's order, then those that are not listed
	watch *watch

	generation uint64 // counts the updates
	source     discovery.Source
	confirmed  time.Time
	err        error
	skipped    int

	due     time.Time // when Tick or Probes have something to do; zero: never
	dueOK   bool      // due is right
	dropped []*slot   // forgotten by the running method, not yet detached

	statesChanged bool // since snapshot was built
	sourceChanged bool // since snapshot was built
	snapshot      *Snapshot
	tiers         [][]Candidate // the candidates of snapshot.Picker, best first
}

// NewRoster returns a Roster that knows nobody yet.
func NewRoster(opts Options) *Roster {
	return &Roster{
		opts:     opts.withDefaults(),
		byKey:    make(map[key]*slot),
		watch:    &watch{streak: DefaultFailures},
		source:   discovery.SourceNone,
		snapshot: &Snapshot{Picker: noPicker{}, Source: discovery.SourceNone},
	}
}

// Next returns when the Roster has something to do by itself: the caller then
// calls Tick and Probes. false: nothing is due before the next change.
func (r *Roster) Next(_ time.Time) (time.Time, bool) {
	if !r.dueOK {
		r.due, r.dueOK = time.Time{}, true
		for _, s := range r.slots {
			r.due = earlier(r.due, s.due())
		}
	}
	return r.due, !r.due.IsZero()
}

// Tick ends the states whose time has passed: it forgets those that lingered or
// were leaving long enough, and takes back those that drained for too long.
func (r *Roster) Tick(now time.Time) {
	if due, ok := r.Next(now); !ok || now.Before(due) {
		return
	}
	for _, s := range r.slots {
		switch {
		case !s.listed && !now.Before(s.leaves):
			r.forget(s)
		case s.draining() && !now.Before(s.drained):
			s.drained = time.Time{}
			r.touch()
		}
	}
	r.sweep()
}

// touch notes that the states have changed.
func (r *Roster) touch() { r.statesChanged, r.dueOK = true, false }

// forget drops the slot; sweep does the rest at the end of the method.
func (r *Roster) forget(s *slot) {
	delete(r.byKey, s.key)
	s.gone = true
	r.dropped = append(r.dropped, s)
	r.touch()
}

// sweep takes the forgotten slots out of the order and tells their owner.
func (r *Roster) sweep() {
	if len(r.dropped) == 0 {
		return
	}
	kept := r.slots[:0]
	for _, s := range r.slots {
		if !s.gone {
			kept = append(kept, s)
		}
	}
	clear(r.slots[len(kept):])
	r.slots = kept
	dropped := r.dropped
	r.dropped = nil
	for _, s := range dropped {
		r.opts.Detach(s.current)
	}
}

// known returns the slot of an endpoint of this Roster; nil when it has been
// forgotten.
func (r *Roster) known(e *Endpoint) *slot {
	if e == nil || e.slot == nil || r.byKey[e.slot.key] != e.slot {
		return nil
	}
	return e.slot
}

// earlier returns the earlier of two times, of which zero means never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}
