// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package balancer

import (
	"fmt"
	"strings"
	"time"
)

// A State says whether an instance may be picked. The package documentation
// tells how an instance enters and leaves each.
type State uint8

// The states of an instance.
const (
	StateUsable      State = iota + 1 // gets calls
	StateSetAside                     // its connection died or its dial failed
	StateEjected                      // its calls fail, or it is slow, beyond the others
	StateLingering                    // left the list without a word
	StateDraining                     // announced that it leaves
	StateLeaving                      // likewise, and its entry is gone
	StateDrained                      // drained by operators
	StateDisabled                     // weight 0
	StateUnsupported                  // Hooks.Supported refused it
)

// String returns the words that errors and tables use.
func (s State) String() string {
	switch s {
	case StateUsable:
		return "usable"
	case StateSetAside:
		return "set aside"
	case StateEjected:
		return "ejected"
	case StateLingering:
		return "lingering"
	case StateDraining:
		return "draining"
	case StateLeaving:
		return "leaving"
	case StateDrained:
		return "drained by operators"
	case StateDisabled:
		return "disabled"
	case StateUnsupported:
		return "unsupported"
	}
	return "unknown"
}

// An EndpointState is the state of one instance at the moment of a [Snapshot].
type EndpointState struct {
	Endpoint *Endpoint
	State    State

	// Until is when the state ends by itself: the next probe of what was set
	// aside (in the past while that runs), the end of an ejection, of lingering,
	// of draining or of leaving. Zero for the other states, and for a silent
	// connection.
	Until time.Time

	// Weight is what counts: the instance's own, or less while it is young or on
	// trial and others are not.
	Weight float64

	// Ejection says why, where the state is StateEjected; else nil.
	Ejection *Ejection
}

// Counts are the numbers of instances by state. Listed is the sum of Usable,
// SetAside, Ejected, Draining, Drained, Disabled and Unsupported; several entries
// of one instance count once.
type Counts struct {
	Listed      int `json:"listed"`
	Usable      int `json:"usable"`
	SetAside    int `json:"set_aside"`
	Ejected     int `json:"ejected"`
	Lingering   int `json:"lingering"`
	Draining    int `json:"draining"`
	Leaving     int `json:"leaving"`
	Drained     int `json:"drained"`
	Disabled    int `json:"disabled"`
	Unsupported int `json:"unsupported"`

	Skipped int `json:"skipped"` // entries that could not be read as an instance
}

// String returns the numbers that are not 0, "3 listed: 2 usable, 1 set aside;
// 1 lingering; 1 skipped".
func (c Counts) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d listed", c.Listed)
	sep := ": "
	for _, part := range []struct {
		n     int
		state State
	}{
		{c.Usable, StateUsable},
		{c.SetAside, StateSetAside},
		{c.Ejected, StateEjected},
		{c.Draining, StateDraining},
		{c.Drained, StateDrained},
		{c.Disabled, StateDisabled},
		{c.Unsupported, StateUnsupported},
	} {
		if part.n > 0 {
			fmt.Fprintf(&b, "%s%d %s", sep, part.n, part.state)
			sep = ", "
		}
	}
	for _, part := range []struct {
		n    int
		what string
	}{
		{c.Lingering, StateLingering.String()},
		{c.Leaving, StateLeaving.String()},
		{c.Skipped, "skipped"},
	} {
		if part.n > 0 {
			fmt.Fprintf(&b, "; %d %s", part.n, part.what)
		}
	}
	return b.String()
}

// add counts so many instances, -1 takes one out.
func (c *Counts) add(s State, n int) {
	if s != StateLingering && s != StateLeaving {
		c.Listed += n
	}
	switch s {
	case StateUsable:
		c.Usable += n
	case StateSetAside:
		c.SetAside += n
	case StateEjected:
		c.Ejected += n
	case StateLingering:
		c.Lingering += n
	case StateDraining:
		c.Draining += n
	case StateLeaving:
		c.Leaving += n
	case StateDrained:
		c.Drained += n
	case StateDisabled:
		c.Disabled += n
	case StateUnsupported:
		c.Unsupported += n
	}
}
