// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package simulation

import (
	"math"
	"time"

	"github.com/rollcall-rpc/rollcall/balancer"
)

// A Scenario is what befalls the servers, under a load.
type Scenario struct {
	Name  string
	About string

	servers     int
	rate        float64       // calls per second
	from, until time.Duration // whose calls count, of those that begin from 0 on
	script      func(*simulation)
}

// The scenarios. Each has ten servers, and five clients that together make calls
// at a random rhythm.
var (
	SlowServer = Scenario{
		Name: "slow server", About: "one of ten is 10 times slower, from the beginning; 30 % of the capacity",
		servers: 10, rate: 3 * capacity, from: 5 * time.Second, until: 60 * time.Second,
		script: func(s *simulation) { s.servers[3].slow = 10 },
	}
	Slowdown = Scenario{
		Name: "slowdown", About: "one of ten becomes 10 times slower after 10 s, for 20 s; 30 % of the capacity",
		servers: 10, rate: 3 * capacity, from: 10 * time.Second, until: 40 * time.Second,
		script: func(s *simulation) {
			s.after(10*time.Second, func() { s.servers[3].slow = 10 })
			s.after(30*time.Second, func() { s.servers[3].slow = 1 })
		},
	}
	Busy = Scenario{
		Name: "busy", About: "ten equal servers; 80 % of the capacity",
		servers: 10, rate: 8 * capacity, from: 5 * time.Second, until: 30 * time.Second,
		script: func(*simulation) {},
	}
	ColdStart = Scenario{
		Name: "cold start", About: "one of ten restarts every 15 s and takes 5 times as long at first, as usual after 8 s; 50 % of the capacity",
		servers: 10, rate: 5 * capacity, from: 5 * time.Second, until: 65 * time.Second,
		script: func(s *simulation) {
			for i := range 4 {
				v := s.servers[i]
				v.warmth = func(age time.Duration) float64 {
					if v.life == 0 {
						return 1
					}
					return max(1, 5-4*age.Seconds()/8)
				}
				s.after(time.Duration(5+15*i)*time.Second, func() {
					v.unlist()
					v.kill()
					s.after(time.Second, v.start)
				})
			}
		},
	}
	Recovery = Scenario{
		Name: "recovery", About: "all ten die after 5 s and come back from 10 s on, one every second; 30 % of the capacity",
		servers: 10, rate: 3 * capacity, from: 10 * time.Second, until: 40 * time.Second,
		script: func(s *simulation) {
			s.after(5*time.Second, func() {
				for _, v := range s.servers {
					v.kill()
				}
			})
			s.after(9*time.Second, func() {
				for _, v := range s.servers {
					v.unlist()
				}
			})
			for i, v := range s.servers {
				s.after(time.Duration(10+i)*time.Second, v.start)
			}
		},
	}
	Starved = Scenario{
		Name: "starved", About: "twice a second all slow down together, 3 times in the middle, 90 times in one of a hundred, and each 1 to 4 times more; 3 % of the capacity",
		servers: 10, rate: 0.3 * capacity, from: 5 * time.Second, until: 120 * time.Second,
		script: func(s *simulation) {
			var change func()
			change = func() {
				machine := math.Exp(1.1 + 1.5*s.rnd.NormFloat64())
				for _, v := range s.servers {
					v.slow = machine * (1 + 3*s.rnd.Float64())
				}
				s.after(500*time.Millisecond, change)
			}
			change()
		},
	}
	Churn = Scenario{
		Name: "churn", About: "every second one of ten is killed, listed for 2 s more, and another one starts; 30 % of the capacity",
		servers: 10, rate: 3 * capacity, from: 5 * time.Second, until: 60 * time.Second,
		script: func(s *simulation) {
			for i := range 50 {
				s.after(time.Duration(5+i)*time.Second, func() {
					v := s.servers[i]
					v.kill()
					s.after(2*time.Second, v.unlist)
					s.newServer().start()
				})
			}
		},
	}
)

// Scenarios are all of them, in the order of the table.
var Scenarios = []Scenario{SlowServer, Slowdown, Busy, ColdStart, Recovery, Churn, Starved}

// Contenders are who is compared: the oracle first.
var Contenders = []Contender{
	{Name: "oracle"},
	{Name: balancer.P2C.Name(), Policy: balancer.P2C},
	{Name: balancer.Random.Name(), Policy: balancer.Random},
	{Name: balancer.RoundRobin.Name(), Policy: balancer.RoundRobin},
	{Name: balancer.RingHash.Name(), Policy: balancer.RingHash},
	{Name: "ring_hash, no floor", Policy: balancer.NewRingHash(balancer.RingHashOptions{Floor: -1})},
	{Name: "p2c, bare", Policy: balancer.P2C, Options: balancer.Options{EjectFor: -1, SlowStart: -1}},
	{Name: "round_robin, bare", Policy: balancer.RoundRobin, Options: balancer.Options{EjectFor: -1, SlowStart: -1}},
}
