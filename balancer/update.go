// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package balancer

import (
	"slices"
	"time"

	"github.com/rollcall-rpc/rollcall/discovery"
)

// Update takes a new list. Of several entries of one instance the last counts,
// which is the youngest in an Update's order. While the source has read nothing
// yet (SourceNone) its list says nothing, and everybody stays as they are.
func (r *Roster) Update(now time.Time, u discovery.Update) {
	// A state whose time is over must not decide what becomes of who is missing.
	r.Tick(now)
	if r.watch.origin.IsZero() {
		r.watch.origin = now
	}
	// What appears after the list was out of sight may have been there for long.
	r.following = r.source == discovery.SourceLive && u.Source == discovery.SourceLive
	r.source, r.confirmed, r.err = u.Source, u.Confirmed, u.Err
	r.sourceChanged = true
	if u.Source == discovery.SourceNone {
		return
	}
	r.generation++ // whose slot keeps an older one is not in this list
	r.skipped = len(u.Skipped)
	order := make([]*slot, 0, len(u.Instances)+len(r.slots)-r.listed)
	near, kept := r.listed-1, 0 // where the slot is, if the list is as it was; how many of it are there
	// The youngest entry first: it takes the slot, and older ones find it taken.
	for i := len(u.Instances) - 1; i >= 0; i-- {
		if s := r.list(now, &u.Instances[i], near); s != nil {
			order = append(order, s)
			if 0 <= s.at && s.at < r.listed {
				near = s.at - 1
				kept++
			}
		}
	}
	slices.Reverse(order)
	listed := len(order)
	r.arrange(r.unlist(now, order, kept), listed)
	r.measureList(now, u.Source)
	r.grow(now)
	r.sweep()
	r.hasten(now)
}

// list notes that an instance is in the list, and returns its slot; nil when
// the same update held a younger entry of it. near is where it may be.
func (r *Roster) list(now time.Time, in *discovery.Instance, near int) *slot {
	s := r.find(in, near)
	if s == nil {
		s = &slot{key: keyOf(in), at: -1, name: in.Name, revision: in.Revision, share: 1, born: r.birth(now, in)}
		// The end of Update gives a young one less than its share of 1.
		e := &Endpoint{slot: s, load: &load{watch: r.watch}}
		r.byKey[s.key] = s
		r.kin.add(s)
		r.enter(s, e, in)
		if !s.born.IsZero() {
			r.enroll(s)
		}
		e.Owner = r.hooks.Attach(e)
		s.generation, s.listed = r.generation, true
		return s
	}
	if s.generation == r.generation {
		return nil
	}
	if s.isNews(in) {
		if s.aside || s.refused || s.draining() || !s.listed {
			// Another process, by all that is known, and not one that has only
			// registered again.
			if s.born = r.birth(now, in); !s.born.IsZero() {
				r.enroll(s)
			}
			s.current.load.forget()
		}
		s.absolve()
		r.learn(s)
		s.name, s.revision = in.Name, in.Revision
		r.touch(s)
	}
	// Pickers hold Endpoints and read them without a lock, so none is changed.
	if !sameInstance(&s.current.Instance, in) {
		r.enter(s, &Endpoint{Owner: s.current.Owner, slot: s, load: s.current.load}, in)
	}
	if !s.listed {
		s.replaced = false
		r.touch(s)
	}
	s.generation, s.listed = r.generation, true
	return s
}

// find returns the slot of the instance; nil: there is none. A look at the place where
// it may be is quicker than one at all.
func (r *Roster) find(in *discovery.Instance, near int) *slot {
	k := keyOf(in)
	if near >= 0 && r.slots[near].key == k {
		return r.slots[near]
	}
	return r.byKey[k]
}

// enter makes e the slot's endpoint, for the entry.
func (r *Roster) enter(s *slot, e *Endpoint, in *discovery.Instance) {
	e.Instance = *in
	s.current = e
	s.unsupported = !r.hooks.Supported(&e.Instance)
	r.touch(s)
}

// unlist deals with those that the list does not hold, and appends to order
// those that linger or leave. kept is how many are in it that were in the one before.
func (r *Roster) unlist(now time.Time, order []*slot, kept int) []*slot {
	missing := r.slots
	if kept == r.listed {
		missing = r.slots[r.listed:] // they all are, most often
	}
	for _, s := range missing {
		switch {
		case s.generation == r.generation:
		case r.superseded(s) || !r.lingers(now, s):
			r.forget(s)
		default:
			order = append(order, s)
		}
	}
	return order
}

// superseded reports whether another entry of the list has the ID or the address of a
// slot that is not in it. Its ID elsewhere is the same process moved, its address with
// another ID a successor: in both cases nobody is left where the entry says.
func (r *Roster) superseded(s *slot) bool {
	for _, key := range s.kinKeys() {
		for _, other := range r.kin[key] {
			if other.generation == r.generation {
				return true
			}
		}
	}
	return false
}

// lingers keeps a slot that is not in the list, lingering or, where it said that
// it would leave, as a last resort; not where it was not to be picked anyway.
func (r *Roster) lingers(now time.Time, s *slot) bool {
	if !s.listed {
		return true // since an earlier list, and its time goes on
	}
	switch state := s.state(); {
	case state == StateDraining && s.ended:
		return false // it has left as it said it would
	case state == StateDraining:
		s.leaves = s.drained
	case (state == StateUsable || state == StateSetAside || state == StateEjected) && r.opts.LingerFor >= 0:
		s.leaves = now.Add(r.opts.LingerFor)
	default: // weight 0, drained by operators: nobody misses it
		return false
	}
	s.listed = false
	r.touch(s)
	return true
}
