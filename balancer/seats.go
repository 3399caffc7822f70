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
	s := seats{list: list, each: make([]seat, len(list))}
	mean := totalWeight(list) / float64(len(list))
	for i := range list {
		s.each[i] = seat{list[i].Endpoint.load, list[i].weight() / mean}
		if s.each[i].load == nil { // an endpoint of no Roster
			s.each[i].load = &load{watch: new(watch)}
		}
	}
	s.watch = s.each[0].load.watch
	return s
}

// calls returns how many calls are in flight for a mean weight.
func (s *seat) calls() float64 { return float64(s.load.inFlight.Load()) / s.share }
