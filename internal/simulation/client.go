// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package simulation

import (
	"time"

	"github.com/rollcall-rpc/rollcall/balancer"
)

// A client calls through its own roster, or by the oracle where it has none.
type client struct {
	sim    *simulation
	roster *balancer.Roster
	alarm  time.Duration // when the roster is next looked at

	ejected int // at present
}

// change changes the roster and sees to it that it is looked at in time.
func (c *client) change(do func(now time.Time)) {
	now := c.sim.time()
	do(now)
	ejected := c.roster.Snapshot().Counts.Ejected
	c.sim.result.Ejections += max(0, ejected-c.ejected)
	c.ejected = ejected
	due, ok := c.roster.Next(now)
	if !ok {
		return
	}
	if at := max(due.Sub(origin), c.sim.now); c.alarm <= c.sim.now || at < c.alarm {
		c.alarm = at
		c.sim.after(at-c.sim.now, func() { c.change(c.tick) })
	}
}

func (c *client) tick(now time.Time) {
	c.roster.Tick(now)
	for _, e := range c.roster.Probes(now) {
		c.sim.after(network, func() {
			c.change(func(now time.Time) {
				if e.Owner.(*server).alive {
					c.roster.Recovered(now, e)
				} else {
					c.roster.Failed(now, e, true)
				}
			})
		})
	}
}

// lost tells the roster that the connection to a server died.
func (c *client) lost(v *server) {
	if c.roster == nil {
		return
	}
	for _, es := range c.roster.Snapshot().Endpoints {
		if es.Endpoint.Owner == v {
			c.change(func(now time.Time) { c.roster.Failed(now, es.Endpoint, false) })
		}
	}
}

// call makes a call, with as many attempts as there are servers to try.
func (c *client) call() {
	c.sim.result.count(c.sim.now)
	if c.roster == nil {
		c.ask(c.sim.now)
		return
	}
	c.attempt(c.sim.now, nil)
}

// ask makes an attempt where the oracle says.
func (c *client) ask(begun time.Duration) {
	var best *server
	ties := 0
	for _, v := range c.sim.servers {
		switch {
		case !v.alive:
		case best == nil || v.expected() < best.expected():
			best, ties = v, 1
		case v.expected() == best.expected():
			if ties++; c.sim.rnd.IntN(ties) == 0 {
				best = v
			}
		}
	}
	if best == nil {
		c.sim.result.fail(begun)
		return
	}
	best.arrive(&attempt{func(o balancer.Outcome) {
		if o != balancer.OutcomeAnswered {
			c.ask(begun) // it died in between
			return
		}
		c.sim.result.answer(begun, c.sim.now, best)
	}})
}

// attempt makes an attempt where the picker says.
func (c *client) attempt(begun time.Duration, tried []*balancer.Endpoint) {
	now := c.sim.time()
	e := c.roster.Snapshot().Picker.Pick(balancer.PickInfo{Tried: tried, Now: now, Hash: c.sim.rnd.Uint64()})
	if e == nil {
		c.sim.result.fail(begun)
		return
	}
	v := e.Owner.(*server)
	refused := !v.alive
	e.Start(now)
	v.arrive(&attempt{func(o balancer.Outcome) {
		ended := c.sim.time()
		if e.Finish(ended, ended.Sub(now), o) {
			c.change(c.tick)
		}
		if refused {
			c.change(func(now time.Time) { c.roster.Failed(now, e, true) })
		}
		if o != balancer.OutcomeAnswered {
			c.sim.result.retry(begun)
			c.attempt(begun, append(tried, e))
			return
		}
		c.sim.result.answer(begun, c.sim.now, v)
	}})
}
