// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package transport

// A Pending is what a socket holds that was not read yet, as far as [Probe.Peek] can
// tell.
type Pending uint8

// What a socket may hold.
const (
	PendingUnknown Pending = iota // it cannot be asked
	PendingNone                   // nothing: the connection stands, for all that is known here
	PendingBytes                  // bytes, and perhaps the end behind them
	PendingEnd                    // the peer has ended the connection, or it is closed here
)
