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
	order := make([]*slot, 0, len(u.Instances))
	// The youngest entry first: it takes the slot, and older ones find it taken.
	for i := len(u.Instances) - 1; i >= 0; i-- {
		if s := r.list(now, &u.Instances[i]); s != nil {
			order = append(order, s)
		}
	}
	slices.Reverse(order)
	order = r.unlist(now, u.Instances, order)
	if !slices.Equal(r.slots, order) {
		r.touch()
	}
	r.slots = order
	r.measureList(now, u.Source)
	r.grow(now)
	r.sweep()
	r.hasten(now)
}

// list notes that an instance is in the list, and returns its slot; nil when
// the same update held a younger entry of it.
func (r *Roster) list(now time.Time, in *discovery.Instance) *slot {
	s := r.byKey[keyOf(in)]
	if s == nil {
		s = &slot{key: keyOf(in), name: in.Name, revision: in.Revision, share: 1, born: r.birth(now, in)}
		// The end of Update gives a young one less than its share of 1.
		e := &Endpoint{slot: s, load: &load{watch: r.watch}}
		r.byKey[s.key] = s
		r.enter(s, e, in)
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
			s.born = r.birth(now, in)
			s.current.load.forget()
		}
		s.absolve()
		r.learn(s)
		s.name, s.revision = in.Name, in.Revision
		r.touch()
	}
	// Pickers hold Endpoints and read them without a lock, so none is changed.
	if !sameInstance(&s.current.Instance, in) {
		r.enter(s, &Endpoint{Owner: s.current.Owner, slot: s, load: s.current.load}, in)
	}
	if !s.listed {
		s.replaced = false
		r.touch()
	}
	s.generation, s.listed = r.generation, true
	return s
}

// enter makes e the slot's endpoint, for the entry.
func (r *Roster) enter(s *slot, e *Endpoint, in *discovery.Instance) {
	e.Instance = *in
	s.current = e
	s.unsupported = !r.hooks.Supported(&e.Instance)
	r.touch()
}

// unlist deals with those that the list does not hold, and appends to order
// those that linger or leave.
func (r *Roster) unlist(now time.Time, list []discovery.Instance, order []*slot) []*slot {
	taken := r.missing() // by ID and by address: whether another entry has it now
	if len(taken) == 0 {
		return order
	}
	for i := range list {
		k := keyOf(&list[i])
		for _, k := range [2]key{{id: k.id}, k.addr()} {
			if _, ok := taken[k]; ok {
				taken[k] = true
			}
		}
	}
	for _, s := range r.slots {
		if s.generation == r.generation {
			continue
		}
		// Its ID elsewhere is the same process moved, its address with another ID a
		// successor: in both cases nobody is left where the entry says.
		superseded := (s.key.id != "" && taken[key{id: s.key.id}]) || taken[s.key.addr()]
		if superseded || !r.lingers(now, s) {
			r.forget(s)
			continue
		}
		order = append(order, s)
	}
	return order
}

// missing returns the IDs and the addresses of those that the list does not
// hold.
func (r *Roster) missing() map[key]bool {
	var keys map[key]bool
	for _, s := range r.slots {
		if s.generation == r.generation {
			continue
		}
		if keys == nil {
			keys = make(map[key]bool)
		}
		keys[key{id: s.key.id}], keys[s.key.addr()] = false, false
	}
	return keys
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
	r.touch()
	return true
}
