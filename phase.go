// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import "github.com/rollcall-rpc/rollcall/internal/transport"

// A Phase says how far an attempt had come when it failed.
type Phase uint8

// The phases of an attempt, in their order.
const (
	PhaseDial      Phase = iota + 1 // no connection yet
	PhaseHandshake                  // connected; the instance's preface had not come
	PhaseQueue                      // no byte of the request had been given to the socket
	PhaseWrite                      // the request was being written
	PhaseWait                       // written; waiting for the answer
	PhaseReply                      // answered: with an error, or with what cannot be used
)

// String returns the word that errors and tables use.
func (p Phase) String() string {
	switch p {
	case PhaseDial:
		return "dial"
	case PhaseHandshake:
		return "handshake"
	case PhaseQueue:
		return "queue"
	case PhaseWrite:
		return "write"
	case PhaseWait:
		return "wait"
	case PhaseReply:
		return "reply"
	}
	return "unknown"
}

// MarshalText returns the phase's word.
func (p Phase) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// callPhase returns the phase of a call that failed on its connection.
func callPhase(p transport.Phase) Phase {
	switch p {
	case transport.PhaseQueue:
		return PhaseQueue
	case transport.PhaseWrite:
		return PhaseWrite
	case transport.PhaseHandshake:
		return PhaseHandshake
	case transport.PhaseWait:
		return PhaseWait
	}
	return 0
}
