// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package frame

// Executed says whether a request may have had an effect. Failover depends on
// it: only ExecutedNo may be repeated elsewhere without asking.
type Executed uint8

// The answers, as they stand in an ERROR frame.
const (
	ExecutedNo    Executed = 1 // never handed to a handler
	ExecutedMaybe Executed = 2 // nobody knows
	ExecutedYes   Executed = 3 // a handler answered
)

// String returns "no", "maybe" or "yes".
func (e Executed) String() string {
	switch e {
	case ExecutedNo:
		return "no"
	case ExecutedMaybe:
		return "maybe"
	case ExecutedYes:
		return "yes"
	}
	return "executed " + hexByte(uint8(e))
}
