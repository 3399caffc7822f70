// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"encoding/json"
	"slices"

	"github.com/rollcall-rpc/rollcall/discovery"
)

// Overrides are what operators have ordered for the instances of one service:
// the document of [OverridesPath]. The zero value has no orders.
//
// What is not known of a document that was decoded, at its top, in an entry or in
// an order, is kept and encoded again, until the order that it belongs to is
// replaced or taken back.
type Overrides struct {
	entries []overrideEntry // in the order of the document
	byKey   map[OverrideKey]int
	rest    map[string]json.RawMessage // what is not known of the document
}

// An overrideEntry is what is ordered for one instance.
type overrideEntry struct {
	in   discovery.Instance         // ID, Host, Port and Override are set
	keys map[string]json.RawMessage // all of the entry, what is not known included
}

// An OverrideKey tells which instances an override is for: those with the ID,
// or, without one, those that have none at the host and port.
type OverrideKey struct {
	ID   string
	Host string
	Port int
}

// OverrideKeyOf returns the key of an instance's override.
func OverrideKeyOf(in *discovery.Instance) OverrideKey {
	if in.ID != "" {
		return OverrideKey{ID: in.ID}
	}
	return OverrideKey{Host: in.Host, Port: in.Port}
}

// The nodes of the overrides.
const (
	metaSuffix    = "-meta"
	rootMeta      = "/rollcall-meta"
	overridesNode = "overrides"
)

// MetaPath returns the directory of what is known about a service beside its
// instances: "/rpc-meta" for "/rpc", "/rollcall-meta" for "/". Nothing but
// instances is ever put under a service's own directory, for simple readers take
// every child of it for one.
func MetaPath(path string) string {
	if path == "/" {
		return rootMeta
	}
	return path + metaSuffix
}

// OverridesPath returns the node that holds the overrides of a service, as in
// "/rpc-meta/overrides".
func OverridesPath(path string) string { return MetaPath(path) + "/" + overridesNode }

// For returns what is ordered for the instances of a key; nil: nothing. A nil
// receiver has no orders.
func (o *Overrides) For(key OverrideKey) *discovery.Override {
	if o == nil {
		return nil
	}
	if i, ok := o.byKey[key]; ok {
		return o.entries[i].in.Override
	}
	return nil
}

// All returns the instances that something is ordered for, in the order of the
// document: ID, Host, Port and Override are set, Host and Port only where the
// document tells them.
func (o *Overrides) All() []discovery.Instance {
	if o == nil {
		return nil
	}
	var all []discovery.Instance
	for i := range o.entries {
		if o.entries[i].in.Override != nil {
			all = append(all, o.entries[i].in)
		}
	}
	return all
}

// Put makes the orders of in.Override those for the instance, instead of what
// was ordered before; nil: none. Of in only ID, Host, Port and Override count.
func (o *Overrides) Put(in discovery.Instance) {
	key := OverrideKeyOf(&in)
	i, known := o.byKey[key]
	if !known {
		i = len(o.entries)
		o.entries = append(o.entries, overrideEntry{keys: map[string]json.RawMessage{}})
		o.add(key, i)
	}
	o.entries[i].put(in)
	if !o.entries[i].isEmpty() {
		return
	}
	o.entries = slices.Delete(o.entries, i, i+1)
	o.byKey = nil
	for i := range o.entries {
		o.add(OverrideKeyOf(&o.entries[i].in), i)
	}
}

// add notes where the entry of a key is.
func (o *Overrides) add(key OverrideKey, i int) {
	if o.byKey == nil {
		o.byKey = map[OverrideKey]int{}
	}
	o.byKey[key] = i
}

// put writes into the entry what differs from it.
func (e *overrideEntry) put(in discovery.Instance) {
	var before, after discovery.Override
	if e.in.Override != nil {
		before = *e.in.Override
	}
	if in.Override != nil {
		after = discovery.Override{Drain: in.Override.Drain, Weight: in.Override.Weight}
	}
	e.in = discovery.Instance{ID: in.ID, Host: in.Host, Port: in.Port}
	if after != (discovery.Override{}) {
		e.in.Override = &after
	}
	if in.ID != "" {
		e.keys[keyID] = rawJSON(in.ID)
	}
	if in.Host != "" {
		e.keys[keyAddress] = rawJSON(in.Addr())
	}
	if !before.Drain.Equal(after.Drain) {
		delete(e.keys, keyDrain)
		if after.Drain != nil {
			e.keys[keyDrain] = rawJSON(toOrderJSON(after.Drain, nil))
		}
	}
	if !before.Weight.Equal(after.Weight) {
		delete(e.keys, keyWeight)
		if after.Weight != nil {
			e.keys[keyWeight] = rawJSON(toOrderJSON(&after.Weight.Order, &after.Weight.Value))
		}
	}
}

// isEmpty reports whether the entry orders nothing, not even what is not known
// here.
func (e *overrideEntry) isEmpty() bool {
	for key := range e.keys {
		if key != keyID && key != keyAddress {
			return false
		}
	}
	return true
}
