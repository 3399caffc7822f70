// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package balancer

// An Outcome is what an attempt showed of the instance it was made on. The
// caller classifies; the zero value is none.
type Outcome uint8

// The outcomes of an attempt.
const (
	// OutcomeAnswered is a reply, or an error that says nothing against the
	// server: of the request, or of what the method does.
	OutcomeAnswered Outcome = iota + 1

	// OutcomeError is an answer that speaks against the server: Unavailable,
	// Internal, DataLoss. Unknown is what a handler made of an error of its own,
	// and says nothing.
	OutcomeError

	// OutcomeLost is no answer: the dial failed, the connection died, or the
	// attempt's own time was up.
	OutcomeLost

	// OutcomeAbandoned is a caller who went before there was an answer, or an
	// attempt that never left this process. It says only that the answer would
	// have taken longer.
	OutcomeAbandoned

	// OutcomeBusy is a refusal, unexecuted, of a server that has too much to do. It
	// does not set aside or eject; P2C sends fewer calls there for a moment, the
	// fewer the more of them are refused.
	OutcomeBusy
)

// failed reports whether the outcome speaks against the instance.
func (o Outcome) failed() bool { return o == OutcomeError || o == OutcomeLost }
