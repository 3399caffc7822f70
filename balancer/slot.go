// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package balancer

import (
	"maps"
	"slices"
	"time"

	"github.com/rollcall-rpc/rollcall/discovery"
)

// A key is what makes an instance the same one. It spares the string that
// Instance.Addr would build.
type key struct {
	id   string
	host string
	port int
}

func keyOf(in *discovery.Instance) key { return key{id: in.ID, host: in.Host, port: in.Port} }

// addr returns the key without the ID.
func (k key) addr() key { return key{host: k.host, port: k.port} }

// A slot is all that is known about one instance, over all its entries.
type slot struct {
	key     key
	current *Endpoint // of the last entry
	gone    bool      // forgotten

	// Where the Roster has it.
	at          int  // the index in its order; -1: it is new
	appointment int  // the index in its agenda, and one; 0: it is never due
	touched     bool // its place is not up to date
	growing     bool // it is among those that grow

	// What the list says.
	generation  uint64 // the last update that held the instance
	listed      bool
	unsupported bool
	name        string    // of the youngest entry seen
	revision    int64     // of the youngest entry seen
	leaves      time.Time // while not listed: when it is forgotten
	replaced    bool      // while not listed: another one took its place in the list

	// What the instance said.
	drained time.Time // when draining ends; zero: it does not drain
	ended   bool      // the connection on which it said so is gone

	// What its age is.
	born  time.Time // on the registry's clock; zero: not known, or old
	share float64   // which part of its weight it has grown to

	// What its connections say.
	aside     bool      // the last connection or dial failed
	silent    bool      // its connection stands, and nothing comes
	refused   bool      // a dial failed, and none succeeded since
	met       bool      // a connection has stood
	probing   bool      // the caller is dialling
	strikes   int       // failures in a row, for the pause
	resume    time.Time // while aside: when the pause ends
	recovered time.Time // when it was last no longer aside; zero: it never was

	// What its calls say.
	lacks         lacks
	calls, failed float64   // of late
	fresh         bool      // there was one before the last review
	slow          int       // reviews in a row that found it slow
	ejection      *Ejection // nil: it is not ejected
	ejections     int       // not yet forgiven
	readmitted    time.Time // when the last ejection ends or ended; zero: there was none
}

func (s *slot) onTrial() bool { return s.current.load.trial.Load() }

func (s *slot) draining() bool { return !s.drained.IsZero() }

// state returns the state that all of this amounts to.
func (s *slot) state() State {
	switch {
	case !s.listed && s.draining():
		return StateLeaving
	case !s.listed:
		return StateLingering
	case s.unsupported:
		return StateUnsupported
	case s.current.Instance.Drained():
		return StateDrained
	case s.current.Instance.Weight <= 0:
		return StateDisabled
	case s.draining():
		return StateDraining
	case s.aside || s.silent:
		return StateSetAside
	case s.ejection != nil:
		return StateEjected
	}
	return StateUsable
}

// until returns when the slot's state ends by itself; zero: it does not.
func (s *slot) until(state State) time.Time {
	switch state {
	case StateSetAside:
		return s.resume
	case StateEjected:
		return s.readmitted
	case StateLingering:
		return s.leaves
	case StateDraining, StateLeaving:
		return s.drained
	default: // the others last until somebody says something else
		return time.Time{}
	}
}

// due returns when Tick or Probes have something to do with the slot; zero:
// never.
func (s *slot) due() time.Time {
	var t time.Time
	if !s.listed {
		t = s.leaves
	}
	if s.draining() {
		t = earlier(t, s.drained)
	}
	if s.probeable() {
		t = earlier(t, s.resume)
	}
	if s.ejection != nil {
		t = earlier(t, s.readmitted)
	}
	return t
}

// probeable reports whether the slot waits for a probe.
func (s *slot) probeable() bool {
	if s.probing {
		return false
	}
	switch s.state() {
	case StateSetAside, StateLingering:
		return s.aside
	case StateDraining:
		return s.ended
	default: // it is well, or not to be called
		return false
	}
}

// isNews reports whether the entry shows that the instance lives: it is younger
// than all seen, or comes after the entry that left and is not that one. Where
// the source has no order, another name or coming back is enough.
func (s *slot) isNews(in *discovery.Instance) bool {
	if in.Revision == s.revision && in.Name != s.name {
		return true
	}
	return in.Revision > s.revision || (!s.listed && (in.Revision == 0 || in.Revision != s.revision))
}

// absolve forgets what was held against the instance.
func (s *slot) absolve() {
	s.drained, s.ended = time.Time{}, false
	s.aside, s.refused, s.probing, s.silent = false, false, false, false
	s.strikes = 0
	s.calls, s.failed, s.slow = 0, 0, 0
	s.ejection, s.ejections, s.readmitted = nil, 0, time.Time{}
	s.current.load.streak.Store(0)
	s.current.load.trial.Store(false)
}

// sameInstance reports whether two entries say the same.
func sameInstance(a, b *discovery.Instance) bool {
	return a.Name == b.Name && a.ID == b.ID && a.Host == b.Host && a.Port == b.Port &&
		a.Weight == b.Weight && a.Zone == b.Zone && a.Version == b.Version &&
		a.Revision == b.Revision && a.Owner == b.Owner && a.Registered.Equal(b.Registered) &&
		a.TLS == b.TLS && a.Override.Equal(b.Override) &&
		slices.Equal(a.Protocols, b.Protocols) && maps.Equal(a.Metadata, b.Metadata)
}
