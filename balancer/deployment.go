// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package balancer

import (
	"cmp"
	"slices"
	"time"

	"github.com/rollcall-rpc/rollcall/discovery"
)

// A listSize tells a deployment, after which a list is about as long as before,
// from a disaster, after which it is not.
type listSize struct {
	now    int       // how many members the list holds that may be picked
	had    int       // how many it held at most, of late
	shrunk time.Time // since when it holds less
	whole  bool      // it is a live list that holds at least half of that
}

// note takes in how long a new list is.
func (l *listSize) note(now time.Time, n int, source discovery.Source, memory time.Duration) {
	if l.now < l.had && now.Sub(l.shrunk) > memory {
		l.had = l.now // that long ago is how it is
	}
	if l.now == l.had && n < l.had {
		l.shrunk = now
	}
	l.now, l.had = n, max(l.had, n)
	switch source {
	case discovery.SourceLive:
		l.whole = n > 0 && 2*n >= l.had
	case discovery.SourceNone, discovery.SourceStatic: // there is no such list
	default: // an old list is as whole as it was
	}
}

// measureList notes how long the list is, and lets go of those that linger beyond it.
func (r *Roster) measureList(now time.Time, source discovery.Source) {
	r.settle()
	n := r.counts.Usable + r.counts.SetAside + r.counts.Ejected + r.counts.Draining
	var lingering []*slot
	for i := r.listed; i < len(r.slots); i++ {
		if r.places[i].state == StateLingering {
			lingering = append(lingering, r.slots[i])
		}
	}
	was := r.size.whole
	r.size.note(now, n, source, r.opts.LingerFor)
	room := r.size.had
	if r.size.whole {
		room = n
		r.replace(lingering)
	}
	if r.size.whole != was {
		for _, s := range lingering {
			r.touch(s)
		}
	}
	if len(lingering) > room {
		r.crowded(lingering, len(lingering)-room)
	}
}

// replace marks who was replaced by others: as many as there are more than the list
// has held, those first that left first. The rest it has lost.
func (r *Roster) replace(lingering []*slot) {
	n := r.size.now + len(lingering) - r.size.had
	if n <= 0 {
		return
	}
	slices.SortStableFunc(lingering, func(a, b *slot) int { return a.leaves.Compare(b.leaves) })
	for _, s := range lingering[:min(n, len(lingering))] {
		s.replaced = true
		r.touch(s)
	}
}

// crowded forgets so many of those that linger: first those that were replaced, of
// these those that nothing was ever heard of, then those that left first.
func (r *Roster) crowded(lingering []*slot, excess int) {
	rank := func(s *slot) int {
		n := 0
		if !s.replaced {
			n += 2
		}
		if s.met || s.current.load.latency.Load() > 0 {
			n++
		}
		return n
	}
	slices.SortStableFunc(lingering, func(a, b *slot) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), a.leaves.Compare(b.leaves))
	})
	for _, s := range lingering[:excess] {
		r.forget(s)
	}
}

// isMember reports whether the slot, which is in that state, counts for panic.
func (r *Roster) isMember(s *slot, state State) bool {
	switch state {
	case StateUsable, StateSetAside, StateEjected:
		return true
	case StateLingering:
		return !r.size.whole && !s.replaced
	default:
		return false
	}
}
