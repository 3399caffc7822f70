// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

// Package frame turns Rollcall's wire frames into bytes and back.
//
// The package is pure: no I/O, no goroutine, no clock. PROTOCOL.md at the root
// of the module is the specification, with byte tables and worked examples;
// the tests of this package read those examples.
//
//	b := frame.AppendHeader(nil, frame.Header{Type: frame.TypePing, Length: frame.PingBytes})
//	b = append(b, "12345678"...)
//	h, err := frame.ParseHeader(b)
//
// # Ownership
//
// Append functions append to the slice they are given and return it, like the
// built-in append. Parse functions return slices that alias their input where
// a field says so; strings are always copies. A caller that reuses its input
// must copy what it keeps.
//
// # Concurrency
//
// Every function may be called from any goroutine.
//
// # Caveats
//
// A Parse function checks every length before it is used and allocates only
// what the input really holds. It reports a [*FormatError] for bytes that break
// the format, and a [*LimitError] for well-formed ones that exceed a limit.
package frame
