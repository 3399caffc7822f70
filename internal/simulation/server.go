// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package simulation

import (
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-rpc/rollcall/balancer"
	"github.com/rollcall-rpc/rollcall/discovery"
)

// A server serves calls in the order in which they come, a few at a time.
type server struct {
	sim      *simulation
	id       string
	instance discovery.Instance
	alive    bool
	listed   bool
	slow     float64 // how many times its work takes the usual time

	life    int                             // counts its restarts
	serving []*attempt                      // by a worker
	queue   []*attempt                      // in order
	warmth  func(age time.Duration) float64 // a further factor; nil: 1
	started time.Duration
}

// An attempt is one try of a call on a server.
type attempt struct {
	done func(balancer.Outcome)
}

func (s *simulation) newServer() *server {
	v := &server{sim: s, id: fmt.Sprintf("s%d", len(s.servers)), slow: 1}
	s.servers = append(s.servers, v)
	s.ids[v.id] = v
	return v
}

// factor returns how many times its work takes the usual time now.
func (v *server) factor() float64 {
	if v.warmth == nil {
		return v.slow
	}
	return v.slow * v.warmth(v.sim.now-v.started)
}

// expected returns how long a call would take that comes now.
func (v *server) expected() time.Duration {
	turns := 1 + float64(max(0, len(v.queue)+len(v.serving)-workers+1))/workers
	return time.Duration(turns * v.factor() * float64(service))
}

func (v *server) arrive(a *attempt) {
	switch {
	case !v.alive:
		v.sim.after(network, func() { a.done(balancer.OutcomeLost) })
	case len(v.serving) < workers:
		v.serve(a)
	default:
		v.queue = append(v.queue, a)
		v.sim.result.queued(v.sim.now, len(v.queue))
	}
}

func (v *server) serve(a *attempt) {
	v.serving = append(v.serving, a)
	life := v.life
	v.sim.after(time.Duration(v.sim.rnd.ExpFloat64()*v.factor()*float64(service)), func() {
		if v.life != life {
			return
		}
		i := slices.Index(v.serving, a)
		v.serving = slices.Delete(v.serving, i, i+1)
		if len(v.queue) > 0 {
			next := v.queue[0]
			v.queue = v.queue[1:]
			v.serve(next)
		}
		v.sim.after(network, func() { a.done(balancer.OutcomeAnswered) })
	})
}

// kill ends the server without a word; its calls are lost.
func (v *server) kill() {
	v.alive = false
	v.life++
	lost := append(v.serving, v.queue...)
	v.serving, v.queue = nil, nil
	v.sim.after(network, func() {
		for _, c := range v.sim.clients {
			c.lost(v)
		}
		for _, a := range lost {
			a.done(balancer.OutcomeLost)
		}
	})
}

// start begins a new life, listed.
func (v *server) start() {
	v.started = v.sim.now
	v.sim.join(v)
	v.sim.publish(news)
}

// unlist takes the entry out of the list.
func (v *server) unlist() {
	v.listed = false
	v.sim.publish(news)
}
