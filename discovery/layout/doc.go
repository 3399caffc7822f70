// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

// Package layout knows how an instance is written in a znode, and what operators
// have ordered for it in another.
//
// A server is a child of the service's directory, ephemeral and sequential:
// [NodePrefix] and the ten digits that ZooKeeper appends. Its data is one JSON
// object:
//
//	{"host":"127.0.0.1","port":8001,"id":"7f3a91c2e0b4d586",
//	 "protocols":["rollcall/1"],"weight":100,"zone":"","version":"","metadata":{}}
//
// One that serves TLS on its port says so with "tls":true; the key is not written
// otherwise.
//
// Only host and port must be there, so {"host": "127.0.0.1", "port": 8001} is
// complete. Keys that are not known are ignored; what is known and has the
// wrong type is an error that names the field, the value and the fix.
//
//	data, err := layout.Encode(instance)
//	instance, err := layout.Decode("server0000000003", data)
//
// # Overrides
//
// What operators order for the instances of a service lies in one node beside its
// directory, [OverridesPath]: "/rpc-meta/overrides" for "/rpc". Its data is one
// JSON object of at most [MaxOverridesBytes]:
//
//	{"version":1,"overrides":[
//	 {"id":"7f3a91c2e0b4d586","address":"10.1.2.3:8001",
//	  "drain":{"by":"ann@ops1","at":"2026-03-01T09:30:00Z","reason":"new kernel"}},
//	 {"address":"10.1.2.4:8001","weight":{"value":50,"by":"bob@ops1"}}]}
//
// An entry is for the instances with its id; without one for those that have
// none at its address. It is written by compare-and-set on the node's version,
// and whoever writes keeps the keys that it does not know. docs/overrides.md has
// the rules in full.
//
// # Concurrency
//
// All functions are pure. An [Overrides] must not be read while it is changed.
//
// # Caveats
//
// Names are not to be compared as text: see [Sequence].
package layout
