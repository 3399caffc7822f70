// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

// Package memnet is a network in memory for tests: connections that can be
// blocked, delayed and cut at an exact byte, listeners, and a network that
// dials them by address.
//
//	client, server := memnet.Pipe()
//	server.Block()      // the server's writes no longer arrive
//	client.CutAfter(20) // the connection dies with the client's 21st byte from now
//
// # Concurrency
//
// Every method may be called from any goroutine. Waiting is done on
// [sync.Cond], which testing/synctest knows: in a bubble time passes while all
// wait. Everything must then be made inside the bubble.
package memnet
