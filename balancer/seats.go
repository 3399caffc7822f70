// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package balancer

// seats are candidates as a policy that heeds their load looks at them: what a
// pick reads lies close together.
type seats struct {
	list   []Candidate
	loads  []*load
	shares []float64 // weights, of which the mean is 1; nil: all are the same
	watch  *watch
}

// newSeats returns the seats of one candidate or more.
func newSeats(list []Candidate) seats {
	s := seats{list: list, loads: make([]*load, len(list))}
	for i := range list {
		s.loads[i] = list[i].Endpoint.load
		if s.loads[i] == nil { // an endpoint of no Roster
			s.loads[i] = &load{watch: new(watch)}
		}
	}
	s.watch = s.loads[0].watch
	if !uniform(list) {
		mean := totalWeight(list) / float64(len(list))
		s.shares = make([]float64, len(list))
		for i := range list {
			s.shares[i] = list[i].weight() / mean
		}
	}
	return s
}

// share returns the weight of one in mean weights.
func (s *seats) share(i int) float64 {
	if s.shares == nil {
		return 1
	}
	return s.shares[i]
}
