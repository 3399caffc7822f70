// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package discovery

import "time"

// An Override is what operators have ordered for an instance. It wins over what
// the server says, outlives the server's restarts and stays until it is taken
// back.
type Override struct {
	// Drain: the instance is not to be picked, though it serves and is listed.
	// nil: no such order.
	Drain *Order

	// Weight: the instance has another weight than its server states. nil: no
	// such order.
	Weight *WeightOrder

	// ServerWeight is what the server states, while Instance.Weight is what
	// counts. [Instance.Overridden] sets it.
	ServerWeight int
}

// An Order tells where an order comes from, as far as that was written down.
type Order struct {
	By     string    // who gave it, "ann@ops1"
	At     time.Time // when, to the second, on the clock of who gave it; zero: not told
	Reason string
}

// A WeightOrder is the order to take Value, 0 to MaxWeight, for the weight.
type WeightOrder struct {
	Value int
	Order
}

// Overridden returns the instance with o in force instead of what was; nil, or
// an override without an order: nothing is.
func (in Instance) Overridden(o *Override) Instance {
	if in.Override != nil {
		in.Weight, in.Override = in.Override.ServerWeight, nil
	}
	if o == nil || (o.Drain == nil && o.Weight == nil) {
		return in
	}
	in.Override = &Override{Drain: o.Drain, Weight: o.Weight, ServerWeight: in.Weight}
	if o.Weight != nil {
		in.Weight = o.Weight.Value
	}
	return in
}

// Drained reports whether operators have ordered that the instance is not to be
// picked.
func (in *Instance) Drained() bool { return in.Override != nil && in.Override.Drain != nil }

// Equal reports whether two overrides say the same; either may be nil.
func (o *Override) Equal(p *Override) bool {
	if o == nil || p == nil || o == p {
		return o == p
	}
	return o.ServerWeight == p.ServerWeight && o.Drain.Equal(p.Drain) && o.Weight.Equal(p.Weight)
}

// Equal reports whether two orders say the same; either may be nil.
func (o *Order) Equal(p *Order) bool {
	if o == nil || p == nil || o == p {
		return o == p
	}
	return o.By == p.By && o.At.Equal(p.At) && o.Reason == p.Reason
}

// Equal reports whether two orders say the same; either may be nil.
func (o *WeightOrder) Equal(p *WeightOrder) bool {
	if o == nil || p == nil || o == p {
		return o == p
	}
	return o.Value == p.Value && o.Order.Equal(&p.Order)
}
