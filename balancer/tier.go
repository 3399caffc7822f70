// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package balancer

import "slices"

// A tier is candidates among which a call is balanced. The tiers are asked in order:
// each when those before it are used up.
type tier struct {
	list   []Candidate
	picker Picker  // nil: list is empty
	was    []int32 // scratch: where each stood before
}

// tiers bounds how many there are: each is of one group, the first one of two in panic.
const tiers = int(groupNone)

// A successive policy makes a Picker out of the one before it, at less than the cost of
// one made anew where few of many candidates change. It is the Policy that is asked, and
// not the Picker: that may be one which a user's policy had another one make.
type successive interface {
	Policy

	// successor is NewPicker, and before the Picker that was made last, by this method
	// or NewPicker; it is made of no more than once. was says where each candidate stood in the
	// list before, with the same weight; -1: it did not. It is not kept.
	successor(before Picker, list []Candidate, was []int32, rnd func() float64) Picker
}

// choose brings the tiers up to date, and reports whether any of them has changed.
func (r *Roster) choose(panics bool) bool {
	// Where the candidates of a group are, from which index on.
	var in [groups]int8
	var next [groups]int32
	var size [tiers]int
	for g := range groupNone {
		in[g] = int8(g)
		switch {
		case g == groupWilling && panics:
			// They come after all that are usable, in panic beside them: so few cannot
			// carry the load, and it is our view that is wrong, not most of the servers.
			in[g], next[g] = int8(groupUsable), int32(r.groups[groupUsable]) //nolint:gosec // fewer than fit in memory
		case g == groupRefusing && r.counts.Usable > 0:
			in[g] = -1 // not worth a dial while somebody serves
			continue
		}
		size[in[g]] += r.groups[g]
	}
	in[groupNone] = -1

	var lists [tiers][]Candidate
	var was [tiers][]int32
	var changed [tiers]bool
	for t := range tiers {
		lists[t], was[t] = make([]Candidate, size[t]), slices.Grow(r.tiers[t].was[:0], size[t])[:size[t]]
		changed[t] = size[t] != len(r.tiers[t].list)
	}
	for i := range r.places {
		p := &r.places[i]
		t := in[p.group]
		if t < 0 {
			p.tier = -1
			continue
		}
		c := Candidate{r.shown[i].Endpoint, r.shown[i].Weight}
		before := int32(-1)
		if p.tier == t && r.tiers[t].list[p.index] == c {
			before = p.index
		}
		at := next[p.group]
		next[p.group]++
		lists[t][at], was[t][at] = c, before
		changed[t] = changed[t] || before != at
		p.tier, p.index = t, at
	}
	news := false
	for t := range tiers {
		// The same candidates keep their Picker, for it may remember whose turn it is.
		r.tiers[t].was = was[t]
		if changed[t] {
			r.tiers[t].succeed(r.opts.Policy, r.opts.Rand, lists[t])
			news = true
		}
	}
	return news
}

// succeed makes the tier one of these candidates.
func (t *tier) succeed(policy Policy, rnd func() float64, list []Candidate) {
	before := t.picker
	t.list, t.picker = list, nil
	p, ok := policy.(successive)
	switch {
	case len(list) == 0:
	case ok && before != nil:
		t.picker = p.successor(before, list, t.was, rnd)
	default:
		t.picker = policy.NewPicker(list, rnd)
	}
}

// picker returns the Picker that asks each tier when those before it are used up.
func (r *Roster) picker() Picker {
	var lists [][]Candidate
	var picker Picker = noPicker{}
	for t := tiers - 1; t >= 0; t-- {
		switch now := &r.tiers[t]; {
		case len(now.list) == 0:
			continue
		case lists == nil:
			picker = now.picker
		default:
			picker = inOrder{first: now.picker, second: picker}
		}
		lists = append(lists, r.tiers[t].list)
	}
	slices.Reverse(lists)
	return &knowing{picker, r.watch, lists}
}
