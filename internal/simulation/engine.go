// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package simulation

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/rollcall-rpc/rollcall/balancer"
	"github.com/rollcall-rpc/rollcall/discovery"
)

const (
	clients = 5
	workers = 4                     // of a server
	service = 10 * time.Millisecond // a call's mean, exponentially distributed
	network = 200 * time.Microsecond
	news    = 10 * time.Millisecond // until a change of the list reaches the clients
)

// capacity is how many calls per second a server can serve.
const capacity = workers * float64(time.Second) / float64(service)

// origin is when a run begins on the clients' clock. The registry's is another.
var (
	origin   = time.Unix(0, 0)
	registry = time.Unix(1_000_000, 0)
)

// A Contender is who balances in a run.
type Contender struct {
	Name    string
	Policy  balancer.Policy // nil: the oracle
	Options balancer.Options
}

// A simulation is one run.
type simulation struct {
	now     time.Duration // since the origin
	events  events
	rnd     *rand.Rand
	servers []*server
	clients []*client
	entries int64 // written in the registry
	ids     map[string]*server
	result  *Result
}

// Run runs a scenario.
func Run(scenario Scenario, contender Contender, seed uint64) *Result {
	s := &simulation{
		rnd:    rand.New(rand.NewPCG(seed, 0)), //nolint:gosec // the same seed, the same run
		ids:    make(map[string]*server),
		result: &Result{from: scenario.from},
	}
	for range scenario.servers {
		s.join(s.newServer())
	}
	for range clients {
		c := &client{sim: s}
		if contender.Policy != nil {
			c.roster = s.newRoster(contender)
		}
		s.clients = append(s.clients, c)
	}
	s.publish(0)
	s.after(2*time.Millisecond, func() { s.arrivals(scenario.rate, scenario.until) })
	scenario.script(s)
	for s.now < scenario.until || s.result.pending > 0 { // every call counts, to its end
		e := heap.Pop(&s.events).(event)
		s.now = e.at
		e.do()
	}
	slices.Sort(s.result.latencies)
	return s.result
}

func (s *simulation) newRoster(contender Contender) *balancer.Roster {
	opts := contender.Options
	opts.Policy, opts.Rand = contender.Policy, s.rnd.Float64
	return balancer.NewRoster(opts, balancer.Hooks{Attach: func(e *balancer.Endpoint) any { return s.ids[e.Instance.ID] }})
}

// time returns the clients' clock.
func (s *simulation) time() time.Time { return origin.Add(s.now) }

// arrivals makes calls at random moments, each of a random client.
func (s *simulation) arrivals(rate float64, until time.Duration) {
	if s.now < until {
		s.clients[s.rnd.IntN(clients)].call()
	}
	s.after(time.Duration(s.rnd.ExpFloat64()/rate*float64(time.Second)), func() { s.arrivals(rate, until) })
}

// join lists a server, as a new entry.
func (s *simulation) join(v *server) {
	s.entries++
	v.alive, v.listed = true, true
	v.instance = discovery.Instance{
		Name: fmt.Sprintf("server%010d", s.entries), ID: v.id, Host: v.id, Port: 1,
		Weight: discovery.DefaultWeight, Revision: s.entries, Registered: registry.Add(s.now),
	}
}

// publish sends the list to the clients.
func (s *simulation) publish(delay time.Duration) {
	u := discovery.Update{Source: discovery.SourceLive, Confirmed: s.time()}
	for _, v := range s.servers {
		if v.listed {
			u.Instances = append(u.Instances, v.instance)
		}
	}
	slices.SortFunc(u.Instances, func(a, b discovery.Instance) int { return int(a.Revision - b.Revision) })
	for _, c := range s.clients {
		if c.roster != nil {
			s.after(delay, func() { c.change(func(now time.Time) { c.roster.Update(now, u) }) })
		}
	}
}

// An event is something that happens at a time.
type event struct {
	at    time.Duration
	order int64 // of those at the same time
	do    func()
}

type events struct {
	list  []event
	count int64
}

func (s *simulation) after(d time.Duration, do func()) {
	s.events.count++
	heap.Push(&s.events, event{s.now + d, s.events.count, do})
}

func (h *events) Len() int { return len(h.list) }
func (h *events) Less(i, j int) bool {
	a, b := &h.list[i], &h.list[j]
	return a.at < b.at || (a.at == b.at && a.order < b.order)
}
func (h *events) Swap(i, j int) { h.list[i], h.list[j] = h.list[j], h.list[i] }
func (h *events) Push(x any)    { h.list = append(h.list, x.(event)) }
func (h *events) Pop() any {
	last := len(h.list) - 1
	e := h.list[last]
	h.list = h.list[:last]
	return e
}
