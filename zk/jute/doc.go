// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

// Package jute turns the records of ZooKeeper's client protocol into bytes and
// back. It is pure: no I/O, no goroutine, no clock. Client and server share it.
//
// A [Record] appends itself to a byte slice and reads itself from a [Decoder].
// [Lookup] is the table that joins an operation code to its name and its
// request and response records:
//
//	op, ok := jute.Lookup(jute.OpGetData)
//	req := op.NewRequest()
//	d := jute.NewDecoder(body)
//	req.Decode(&d)
//	if err := d.Err(); err != nil { … }
//
// Everything on the wire is big-endian. A frame is a signed 32-bit length and
// that many bytes; what is in it is a [RequestHeader] or a [ReplyHeader]
// followed by the record of the operation, except for the first frame of each
// direction, which is a bare [ConnectRequest] or [ConnectResponse].
//
// # Concurrency
//
// Values are plain data: whoever holds one may use it from one goroutine.
//
// # Caveats
//
// Byte slices that a Decoder hands out alias its input. Copy what must outlive
// the input. Strings are copies.
//
// Source: ZooKeeper's zookeeper.jute and org.apache.jute.BinaryInputArchive.
package jute
