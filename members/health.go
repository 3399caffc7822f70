// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package members

import (
	"time"

	"github.com/rollcall-rpc/rollcall/balancer"
)

// Failed tells that an instance refused a connection (dialed), or that one which
// stood has died: it is set aside and probed after a pause.
func (s *Set) Failed(e *balancer.Endpoint, dialed bool) {
	s.tell(func(now time.Time) { s.roster.Failed(now, e, dialed) })
}

// Recovered tells that an instance has answered: whatever set it aside is over.
func (s *Set) Recovered(e *balancer.Endpoint) {
	s.tell(func(now time.Time) { s.roster.Recovered(now, e) })
}

// Silent tells that the connection to an instance shows no life, or (false) shows
// it again. A silent instance is set aside and not probed: its connection stands.
func (s *Set) Silent(e *balancer.Endpoint, silent bool) {
	s.tell(func(now time.Time) { s.roster.Silent(now, e, silent) })
}

// Draining tells that an instance announced that it leaves.
func (s *Set) Draining(e *balancer.Endpoint) {
	s.tell(func(now time.Time) { s.roster.Draining(now, e.Instance.ID, e) })
}

// Left tells that an instance, which drains, takes no more calls or has ended its
// connection. While it is listed it is probed.
func (s *Set) Left(e *balancer.Endpoint) {
	s.tell(func(now time.Time) { s.roster.Left(now, e) })
}

// Lacks tells that an instance does not know a method: it has refused a call of it
// for that, unexecuted. Picks with that PickInfo.Method go elsewhere from now on, as
// long as there is anybody else and the connection stands. Endpoint.Lacks tells
// whether it is known.
func (s *Set) Lacks(e *balancer.Endpoint, method string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.roster.Lacks(e, method) // no state changes, and nobody is to be woken
}

// Review has the clock look at the instances soon: Endpoint.Finish asks for it.
func (s *Set) Review() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}
