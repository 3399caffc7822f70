// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package balancer

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// A Picker picks the instance of a call. Its method may be called from any
// goroutine, takes no lock and does not allocate, but where instances are passed
// over that lack the method.
type Picker interface {
	// Pick returns the endpoint for the next call, or nil when no candidate is
	// left.
	Pick(info PickInfo) *Endpoint
}

// PickInfo is what is known about the call.
type PickInfo struct {
	// Tried are the endpoints that this call has already failed on: none of
	// them is picked again. Pick does not keep the slice.
	Tried []*Endpoint

	// Hash is the same for calls that should reach the same instance; for
	// policies that look at it. 0: there is none.
	Hash uint64

	// Method is what is called, for instances that lack it ([Roster.Lacks]): a Picker
	// of a Roster heeds it, whatever its policy. Empty: it does not matter.
	Method string

	// Now is when the call is made, for policies that look at it. Zero: nothing
	// has passed since the last call ended.
	Now time.Time
}

// tried reports whether the call has already failed on e.
func (p *PickInfo) tried(e *Endpoint) bool { return slices.Contains(p.Tried, e) }

// A Policy makes Pickers.
type Policy interface {
	// Name is the word for the policy in options and on the command line.
	Name() string

	// NewPicker returns a Picker among the candidates, which are never changed.
	// rnd returns numbers in [0, 1) and may be called from any goroutine; nil:
	// Float64 of math/rand/v2.
	NewPicker(candidates []Candidate, rnd func() float64) Picker
}

// A Candidate is an endpoint that may be picked.
type Candidate struct {
	Endpoint *Endpoint
	Weight   float64 // its share relative to the others; above 0
}

// The policies.
var (
	// P2C draws two at random, in proportion to the weights, and picks the one
	// that promises the shorter wait: by its recent latency, its calls in flight
	// for its weight, and for how long they have heard nothing. It is the default.
	P2C Policy = p2c{}

	// Random picks at random, in proportion to the weights.
	Random Policy = random{}

	// RoundRobin picks one after the other, in proportion to the weights. It
	// starts anywhere, so that clients do not walk in step.
	RoundRobin Policy = roundRobin{}

	// RingHash picks for each PickInfo.Hash the same instance, at every client,
	// as long as that has less than 8 of the client's calls in flight, or no more
	// than 1.25 times its share of them; then another, the same again. A change of
	// the list moves few hashes. Without a Hash it starts anywhere on the ring.
	// [NewRingHash] makes it with other bounds.
	RingHash = NewRingHash(RingHashOptions{})
)

var policies = []Policy{P2C, Random, RoundRobin, RingHash}

// PolicyNames returns the names of the policies.
func PolicyNames() []string {
	names := make([]string, len(policies))
	for i, p := range policies {
		names[i] = p.Name()
	}
	return names
}

// ParsePolicy returns the policy of that name, "p2c", "random", "round_robin" or
// "ring_hash". The error of another name lists them.
func ParsePolicy(name string) (Policy, error) {
	for _, p := range policies {
		if p.Name() == name {
			return p, nil
		}
	}
	return nil, fmt.Errorf("balancer: policy %q: the policies are %s", name, strings.Join(PolicyNames(), ", "))
}

// redraws is how often a policy picks again, by its own rule, when the call has
// already failed on what it picked. Going straight to the neighbour instead
// would send to one instance all that another one fails.
const redraws = 4

// orDefault returns rnd or the default source.
func orDefault(rnd func() float64) func() float64 {
	if rnd == nil {
		return rand.Float64
	}
	return rnd
}

// index turns a number in [0, 1) into an index below n; of a source that
// exceeds its range it takes the nearest.
func index(u float64, n int) int { return min(max(int(u*float64(n)), 0), n-1) }

// nextUntried returns the first endpoint from start on, around the end, that
// the call has not failed on; nil when it has failed on all.
func nextUntried(list []Candidate, start int, info *PickInfo) *Endpoint {
	for i := range list {
		if start+i == len(list) {
			start -= len(list)
		}
		if e := list[start+i].Endpoint; !info.tried(e) {
			return e
		}
	}
	return nil
}

// uniform reports whether all weights are the same.
func uniform(list []Candidate) bool {
	for i := range list {
		if list[i].Weight != list[0].Weight {
			return false
		}
	}
	return true
}

// weight returns the weight of a candidate, at least a thousandth of 1: a
// caller's list with a weight of 0 must not become a division by it.
func (c *Candidate) weight() float64 { return max(c.Weight, 1e-3) }

// totalWeight returns the sum of the weights.
func totalWeight(list []Candidate) float64 {
	var total float64
	for i := range list {
		total += list[i].weight()
	}
	return total
}

// noPicker is the Picker among nobody.
type noPicker struct{}

func (noPicker) Pick(PickInfo) *Endpoint { return nil }

// inOrder asks the second Picker when the first has no candidate left.
type inOrder struct{ first, second Picker }

func (p inOrder) Pick(info PickInfo) *Endpoint {
	if e := p.first.Pick(info); e != nil {
		return e
	}
	return p.second.Pick(info)
}
