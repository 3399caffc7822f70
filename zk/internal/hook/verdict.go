// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package hook

import "github.com/rollcall-rpc/rollcall/zk/jute"

// A Verdict says what becomes of a request.
type Verdict struct {
	Fault Fault
	// Err is the answer of [Fail].
	Err jute.ErrCode
	// Done, if it is not nil, is called when the fault has happened, on the
	// goroutine of the connection: nothing is left to do but to close it.
	Done func()
}

// A Fault is what can become of a request. What was asked before it on its
// connection is served and answered first.
type Fault int

// The faults.
const (
	// None serves the request.
	None Fault = iota
	// Fail answers with an error code; the request is not carried out.
	Fail
	// Drop loses the request and all that comes behind it on its connection,
	// pings included. That stays open until the client closes it or the session
	// ends.
	Drop
	// Cut closes the connection; the request is not carried out.
	Cut
	// CutAfter carries out the request and closes the connection in place of
	// answering.
	CutAfter
	// Expire ends the session; the request is not carried out.
	Expire
)
