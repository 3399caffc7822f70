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
	hooks Hooks
	byKey map[key]*slot
	kin   kin
	watch *watch

	census
	agenda agenda

	clock    registryClock
	growing  []*slot   // all that have less than their share, or may
	growAt   time.Time // when shares grow; zero: all have grown
	reviewed time.Time // the last review
	measured time.Time // the last one that was not of failures in a row alone

	generation uint64 // counts the updates
	following  bool   // the list was live before the last update and is live with it
	size       listSize
	source     discovery.Source
	confirmed  time.Time
	err        error
	skipped    int

	dropped []*slot // forgotten by the running method, not yet detached

	sourceChanged bool // since snapshot was built
	snapshot      *Snapshot
	tiers         [tiers]tier // of snapshot.Picker
}

// NewRoster returns a Roster that knows nobody yet.
func NewRoster(opts Options, hooks Hooks) *Roster {
	opts = opts.withDefaults()
	return &Roster{
		opts:     opts,
		hooks:    hooks.withDefaults(),
		byKey:    make(map[key]*slot),
		kin:      make(kin),
		watch:    &watch{streak: uint32(opts.EjectAfter)}, //nolint:gosec // withDefaults bounds it
		source:   discovery.SourceNone,
		snapshot: &Snapshot{Picker: noPicker{}, Source: discovery.SourceNone},
	}
}

// Next returns when the Roster has something to do by itself: the caller then
// calls Tick and Probes. false: nothing is due before the next change.
func (r *Roster) Next(now time.Time) (time.Time, bool) {
	r.settle()
	due := earlier(r.growAt, r.agenda.next())
	if r.watch.asked.Load() {
		due = earlier(due, later(now, r.reviewed.Add(reviewGap)))
	}
	return due, !due.IsZero()
}

// Tick does what is due. It ends the states whose time has passed: it forgets
// those that lingered or were leaving long enough, takes back those that drained
// for too long and lets in again those that were ejected. It lets the young grow.
// And where [Endpoint.Finish] has asked for it, it reviews what the calls have
// shown and ejects who is worse than the others.
func (r *Roster) Tick(now time.Time) {
	if due, ok := r.Next(now); !ok || now.Before(due) {
		return
	}
	if r.watch.asked.Load() && !now.Before(r.reviewed.Add(reviewGap)) {
		r.review(now)
		r.settle()
	}
	for _, s := range r.agenda.due(now) {
		switch {
		case !s.listed && !now.Before(s.leaves):
			r.forget(s)
		case s.draining() && !now.Before(s.drained):
			s.drained, s.ended = time.Time{}, false
			r.touch(s)
		}
		if s.ejection != nil && !now.Before(s.readmitted) {
			r.readmit(now, s)
			r.growAt = now
		}
	}
	if !r.growAt.IsZero() && !now.Before(r.growAt) {
		r.grow(now)
	}
	r.sweep()
}

// forget drops the slot; sweep does the rest at the end of the method.
func (r *Roster) forget(s *slot) {
	delete(r.byKey, s.key)
	r.kin.remove(s)
	r.learn(s)
	r.agenda.set(s, time.Time{})
	r.add(&r.places[s.at], -1)
	r.places[s.at].state = 0
	s.gone = true
	r.dropped = append(r.dropped, s)
}

// sweep takes the forgotten slots out of the order and tells their owner.
func (r *Roster) sweep() {
	if len(r.dropped) == 0 {
		return
	}
	r.compact()
	dropped := r.dropped
	r.dropped = nil
	for _, s := range dropped {
		r.hooks.Detach(s.current)
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

// later returns the later of two times.
func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// earlier returns the earlier of two times, of which zero means never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}
