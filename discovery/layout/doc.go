// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

// Package layout knows how an instance is written in a znode.
//
// A server is a child of the service's directory, ephemeral and sequential:
// [NodePrefix] and the ten digits that ZooKeeper appends. Its data is one JSON
// object:
//
//	{"host":"127.0.0.1","port":8001,"id":"7f3a91c2e0b4d586",
//	 "protocols":["rollcall/1"],"weight":100,"zone":"","version":"","metadata":{}}
//
// Only host and port must be there, so {"host": "127.0.0.1", "port": 8001} is
// complete. Keys that are not known are ignored; what is known and has the
// wrong type is an error that names the field, the value and the fix.
//
//	data, err := layout.Encode(instance)
//	instance, err := layout.Decode("server0000000003", data)
//
// # Concurrency
//
// All functions are pure.
//
// # Caveats
//
// Names are not to be compared as text: see [Sequence].
package layout
