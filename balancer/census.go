// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package balancer

import "math"

// A census is what the slots amount to. It is kept up with each change of a slot, so
// that none of the others need be looked at: of thousands that would be slow.
type census struct {
	slots  []*slot // the listed ones in the list's order, then those that are not listed
	listed int     // how many are

	// Of the slot with the same index.
	places []place
	shown  []EndpointState

	counts  Counts
	groups  [groups]int
	members int                // who counts for panic
	waiting int                // who waits for a probe
	shares  [growSteps + 1]int // the usable ones by their share, in steps
	grown   float64            // the greatest of these shares, by which shown was weighed; 0: nobody is usable

	touched []*slot // what is kept of them is not up to date
	changed bool    // something that a Snapshot shows, since there was one
}

// A place is what counts of a slot.
type place struct {
	load   *load
	share  float64
	state  State // 0: it is not counted yet
	group  group
	member bool
	waits  bool

	// Among the candidates of the last Snapshot.
	tier  int8 // -1: it is no candidate
	index int32
}

// A group is of slots that are candidates on the same terms.
type group uint8

// The groups, best first.
const (
	groupUsable   group = iota // gets calls
	groupWilling               // does not, and its last dial did not fail
	groupReplaced              // likewise, and has left a list that has others in its place
	groupRefusing              // its last dial failed
	groupDraining              // it has said that it leaves
	groupNone                  // gets nothing, whatever happens: somebody has decided so
	groups        = iota
)

// touch notes that the slot is to be looked at: something of it has changed.
func (r *Roster) touch(s *slot) {
	if !s.touched {
		s.touched = true
		r.touched = append(r.touched, s)
	}
}

// settle brings the census and the agenda up to date.
func (r *Roster) settle() {
	for i, s := range r.touched {
		r.touched[i], s.touched = nil, false
		if !s.gone {
			r.count(s)
			r.agenda.set(s, s.due())
		}
	}
	r.touched = r.touched[:0]
}

// count takes in what has become of the slot.
func (r *Roster) count(s *slot) {
	was, shown := &r.places[s.at], &r.shown[s.at]
	p := *was
	p.load, p.share, p.state = s.current.load, s.share, s.state()
	p.group, p.member, p.waits = r.group(s, p.state), r.isMember(s, p.state), s.probeable()
	e := EndpointState{
		Endpoint: s.current, State: p.state, Until: s.until(p.state),
		Weight: float64(s.current.Instance.Weight),
	}
	switch p.state {
	case StateUsable:
		e.Weight = r.weigh(e.Weight, p.share)
	case StateEjected:
		e.Ejection = s.ejection
	default: // nothing to add
	}
	r.changed = r.changed || e != *shown || p.group != was.group || p.member != was.member || p.share != was.share
	r.add(was, -1)
	r.add(&p, 1)
	*was, *shown = p, e
}

// add counts what has the place, or (-1) takes it out.
func (c *census) add(p *place, n int) {
	if p.state == 0 {
		return
	}
	c.counts.add(p.state, n)
	c.groups[p.group] += n
	if p.member {
		c.members += n
	}
	if p.waits {
		c.waiting += n
	}
	if p.state == StateUsable {
		c.shares[int(math.Round(p.share*growSteps))] += n
	}
}

// weigh returns the weight of who has grown to that share, measured by the greatest:
// where all are young nobody is held back.
func (c *census) weigh(weight, share float64) float64 {
	if share < c.grown {
		return weight * (share / c.grown)
	}
	return weight
}

// reweigh weighs all anew if another share is the greatest now.
func (c *census) reweigh() {
	grown := 0.0
	for step, n := range c.shares {
		if n > 0 {
			grown = float64(step) / growSteps
		}
	}
	if grown == c.grown {
		return
	}
	c.grown = grown
	for i := range c.places {
		if e := &c.shown[i]; e.State == StateUsable {
			e.Weight = c.weigh(float64(e.Endpoint.Instance.Weight), c.places[i].share)
		}
	}
}

// group returns which candidates the slot, which is in that state, belongs to.
func (r *Roster) group(s *slot, state State) group {
	switch {
	case state == StateUsable:
		return groupUsable
	case state == StateDraining, state == StateLeaving:
		return groupDraining
	case state != StateSetAside && state != StateEjected && state != StateLingering:
		return groupNone
	case state == StateLingering && s.replaced && !r.size.whole:
		return groupReplaced
	case s.refused:
		return groupRefusing
	default:
		return groupWilling
	}
}

// arrange puts the slots into another order, those first that are listed; who is not in
// it has been forgotten.
func (c *census) arrange(order []*slot, listed int) {
	c.listed = listed
	same := 0 // at the beginning nothing moves, most often
	for same < len(order) && same < len(c.slots) && order[same] == c.slots[same] {
		same++
	}
	if same == len(order) && same == len(c.slots) {
		return
	}
	places, shown := make([]place, len(order)), make([]EndpointState, len(order))
	copy(places, c.places[:same])
	copy(shown, c.shown[:same])
	for i, s := range order[same:] {
		i += same
		if s.at < 0 {
			places[i].tier = -1
		} else {
			places[i], shown[i] = c.places[s.at], c.shown[s.at]
		}
		s.at = i
	}
	c.slots, c.places, c.shown, c.changed = order, places, shown, true
}

// compact takes out those that are not counted, who have been forgotten.
func (c *census) compact() {
	n := 0
	for i := range c.places {
		if c.places[i].state == 0 {
			continue
		}
		if n != i {
			c.slots[n], c.places[n], c.shown[n] = c.slots[i], c.places[i], c.shown[i]
			c.slots[n].at = n
		}
		n++
	}
	clear(c.slots[n:])
	clear(c.places[n:])
	clear(c.shown[n:])
	c.changed = c.changed || n < len(c.slots)
	c.slots, c.places, c.shown = c.slots[:n], c.places[:n], c.shown[:n]
}
