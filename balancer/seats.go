// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package balancer

// seats are candidates as a policy that heeds their load looks at them: what a
// pick reads of one lies close together.
type seats struct {
	list  []Candidate
	each  []seat
	watch *watch
}

type seat struct {
	load  *load
	share float64 // the weight, in mean weights
}

// newSeats returns the seats of one candidate or more.
func newSeats(list []Candidate) seats {
	return new(seats).successors(list, nil)
}

// successors returns the seats of one candidate or more, as a [successive] policy does: what is
// known of those that stay is not looked up again. A nil was: nobody stays.
func (s *seats) successors(list []Candidate, was []int32) seats {
	next := seats{list: list, each: make([]seat, len(list))}
	mean := totalWeight(list) / float64(len(list))
	for i := range list {
		seat := &next.each[i]
		switch {
		case was != nil && was[i] >= 0:
			seat.load = s.each[was[i]].load
		case list[i].Endpoint.load != nil:
			seat.load = list[i].Endpoint.load
		default: // an endpoint of no Roster
			seat.load = &load{watch: new(watch)}
		}
		seat.share = list[i].weight() / mean
	}
	next.watch = next.each[0].load.watch
	return next
}

// calls returns how many calls are in flight for a mean weight.
func (s *seat) calls() float64 { return float64(s.load.inFlight.Load()) / s.share }
