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
	if !r.statesChanged && !r.sourceChanged {
		return r.snapshot
	}
	next := *r.snapshot
	if r.statesChanged {
		r.survey(&next)
	}
	next.Source, next.Confirmed, next.Err = r.source, r.confirmed, r.err
	next.Counts.Skipped = r.skipped
	r.statesChanged, r.sourceChanged = false, false
	r.snapshot = &next
	return r.snapshot
}

// survey fills in all that depends on the states.
func (r *Roster) survey(next *Snapshot) {
	next.Counts = Counts{}
	next.Endpoints = make([]EndpointState, len(r.slots))
	members := 0
	grown := 0.0 // the greatest share: where all are young none is
	for i, s := range r.slots {
		state := s.state()
		next.Counts.add(state)
		if r.isMember(s, state) {
			members++
		}
		next.Endpoints[i] = EndpointState{
			Endpoint: s.current, State: state, Until: s.until(state),
			Weight: float64(s.current.Instance.Weight),
		}
		switch state {
		case StateUsable:
			grown = max(grown, s.share)
		case StateEjected:
			next.Endpoints[i].Ejection = s.ejection
		default: // nothing to add
		}
	}
	next.Panic = 2*next.Counts.Usable < members
	usable := make([]Candidate, 0, next.Counts.Usable) // nearly all, where there are many
	var willing, replaced, refusing, draining []Candidate
	for i, s := range r.slots {
		e := &next.Endpoints[i]
		c, state := Candidate{Endpoint: s.current, Weight: e.Weight}, e.State
		switch {
		case state == StateUsable:
			// Measured by the greatest: where all are young nobody is held back.
			if s.share < grown {
				e.Weight *= s.share / grown
				c.Weight = e.Weight
			}
			usable = append(usable, c)
		case state == StateDraining, state == StateLeaving:
			draining = append(draining, c)
		case state != StateSetAside && state != StateEjected && state != StateLingering:
			// Somebody has decided that it gets nothing, and that holds in panic too.
		case state == StateLingering && s.replaced && !r.size.whole:
			replaced = append(replaced, c)
		case s.refused:
			refusing = append(refusing, c)
		default:
			willing = append(willing, c)
		}
	}
	// The others come after all that are usable, in panic beside them: so few cannot
	// carry the load, and it is our view that is wrong, not most of the servers.
	first := usable
	if next.Panic {
		first, willing = append(first, willing...), nil
	}
	if len(usable) > 0 {
		refusing = nil // not worth a dial while somebody serves
	}
	tiers := slices.DeleteFunc([][]Candidate{first, willing, replaced, refusing, draining}, func(tier []Candidate) bool { return len(tier) == 0 })
	// The same candidates keep their Picker, for it may remember whose turn it is.
	if !slices.EqualFunc(tiers, r.tiers, slices.Equal) {
		r.tiers = tiers
		next.Picker = &knowing{r.picker(tiers), r.watch, tiers}
	}
}

// picker makes the Picker that asks each tier when those before it are used up.
func (r *Roster) picker(tiers [][]Candidate) Picker {
	if len(tiers) == 0 {
		return noPicker{}
	}
	p := r.opts.Policy.NewPicker(tiers[0], r.opts.Rand)
	if len(tiers) > 1 {
		return inOrder{first: p, second: r.picker(tiers[1:])}
	}
	return p
}
