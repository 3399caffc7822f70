// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"context"
	"time"

	"github.com/rollcall-rpc/rollcall/discovery"
)

// ServerEvents tell what happens in a [Server], for metrics, traces and logs.
// Nil functions cost nothing. They are called on the goroutine that does the
// work, many at once; they must not block, nor call SetServing or Close. A panic of
// theirs is logged and goes no further.
type ServerEvents struct {
	// CallBegin is called for each request that was read, before anything is
	// done about it, also where Rollcall refuses it; not for one that its client
	// took back before its turn came. The context that it returns goes to
	// admissions, interceptors, the handler and CallEnd; nil stands for ctx. The
	// method of a call may be one that is not handled here, and then is whatever a
	// stranger wrote: CallInfo.Handled tells, for metrics with the method as label.
	CallBegin func(ctx context.Context, call *CallInfo) context.Context

	// CallEnd is called once for each CallBegin.
	CallEnd func(ctx context.Context, end ServerCallEnd)

	// ConnOpen is called when the protocol of a new connection is known.
	ConnOpen func(ConnInfo)

	// ConnClose is called once for each connection that was accepted, also where
	// it was refused and there was no ConnOpen.
	ConnClose func(ConnInfo)

	// Registration is called when the server's entry in the list comes or goes.
	Registration func(RegistrationInfo)

	// Drain is called at each step of a server that stops in order; DrainLeft may
	// overlap with the others.
	Drain func(DrainInfo)
}

// A ServerCallEnd is how a call ended at the server.
type ServerCallEnd struct {
	Call *CallInfo

	// Code is that of Err; CodeOK: the call was answered.
	Code Code

	// Err is the error as the caller will see it; nil: the call was answered.
	Err *Error

	// Refused: the call failed and no handler was begun.
	Refused bool

	Elapsed   time.Duration // since CallBegin
	ReplySize int           // of the encoded reply in bytes

	// Panic is what was panicked with on the way; nil: nothing was.
	Panic any
}

// A ConnInfo is a connection to a server.
type ConnInfo struct {
	Peer     Peer
	Protocol string        // "rollcall/1", or the name of a [Protocol]; empty: not known
	Elapsed  time.Duration // since it was accepted
	Err      error         // at ConnClose: why it was refused or broken; nil: it ended in order
}

// A RegistrationPhase says what became of a server's entry in the list.
type RegistrationPhase uint8

// The phases of a registration.
const (
	RegistrationListed  RegistrationPhase = iota + 1 // the entry is there
	RegistrationMissing                              // it is not there, and the server sees to it that it will be
	RegistrationLeft                                 // the server has left the list of its own will
)

// String returns the word that logs use.
func (p RegistrationPhase) String() string {
	switch p {
	case RegistrationListed:
		return "listed"
	case RegistrationMissing:
		return "missing"
	case RegistrationLeft:
		return "left"
	}
	return "unknown"
}

// A RegistrationInfo is a change of a server's entry in the list.
type RegistrationInfo struct {
	Phase   RegistrationPhase
	Entry   string        // its name; empty while there is none
	Elapsed time.Duration // how long it was as it was before

	// Loss is why an entry that was there was gone, where the registry shows it:
	// with RegistrationMissing if it is known by then, else with the next
	// RegistrationListed. 0: none was, or the registry only did not answer.
	Loss discovery.Loss

	// Err is why the entry is not there; with RegistrationLeft why its end is
	// not confirmed.
	Err error
}

// A DrainPhase is a step of a server that stops in order.
type DrainPhase uint8

// The phases of a drain, in their order. The server leaves the list while it
// serves on, so DrainLeft may come at any time after DrainBegun.
const (
	DrainBegun     DrainPhase = iota + 1 // clients are told, calls are served on
	DrainLeft                            // the list does not show the server any more
	DrainRefusing                        // new calls are refused, those in flight go on
	DrainDone                            // nothing is in flight any more
	DrainCancelled                       // time was up: what is in flight is cancelled
)

// String returns the word that logs use.
func (p DrainPhase) String() string {
	switch p {
	case DrainBegun:
		return "begun"
	case DrainLeft:
		return "left the list"
	case DrainRefusing:
		return "refusing"
	case DrainDone:
		return "done"
	case DrainCancelled:
		return "cancelled"
	}
	return "unknown"
}

// A DrainInfo is a step of a drain.
type DrainInfo struct {
	Phase    DrainPhase
	InFlight int           // calls
	Open     int           // connections
	Elapsed  time.Duration // since the drain began
	Err      error         // with DrainLeft: why that could not be confirmed
}

// TeeServerEvents returns events that tell a, then b. The context of a's
// CallBegin goes to b's, and b's to both ends.
func TeeServerEvents(a, b ServerEvents) ServerEvents {
	return ServerEvents{
		CallBegin:    teeBegin(a.CallBegin, b.CallBegin),
		CallEnd:      teeEnd(a.CallEnd, b.CallEnd),
		ConnOpen:     tee(a.ConnOpen, b.ConnOpen),
		ConnClose:    tee(a.ConnClose, b.ConnClose),
		Registration: tee(a.Registration, b.Registration),
		Drain:        tee(a.Drain, b.Drain),
	}
}

// tell calls an event, where it is wanted, and keeps its panic from going further.
func tell[T any](s *Server, event func(T), v T) {
	if event == nil {
		return
	}
	defer s.containEvent()
	event(v)
}

// tellEnd calls CallEnd.
func (s *Server) tellEnd(ctx context.Context, end *ServerCallEnd) {
	defer s.containEvent()
	s.opts.Events.CallEnd(ctx, *end)
}

func (s *Server) containEvent() {
	if value := recover(); value != nil {
		s.logPanic("an event's function panicked", value)
	}
}
