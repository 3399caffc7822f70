// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package execlog

import (
	"fmt"
	"slices"

	"github.com/rollcall-rpc/rollcall/frame"
)

// A Call is what its caller was told of it.
type Call struct {
	ID         uint64
	Idempotent bool
	Executed   frame.Executed // what the error says; of a call that succeeded, ExecutedYes
}

// Check compares what was noted with what the callers were told, and returns a
// line for each call of which the two disagree: one that was surely not executed
// and was; one that was executed and was not, or, where it is not idempotent,
// more than once; one that nobody made.
func Check(counts map[uint64]int, calls []Call) []string {
	var wrong []string
	made := make(map[uint64]bool, len(calls))
	for _, c := range calls {
		if made[c.ID] {
			wrong = append(wrong, fmt.Sprintf("call %x: made twice by its callers", c.ID))
		}
		made[c.ID] = true
		low, high := c.bounds()
		if n := counts[c.ID]; n < low || n > high {
			wrong = append(wrong, fmt.Sprintf("call %x, idempotent: %t: its caller was told %q, and it was executed %d times", c.ID, c.Idempotent, c.Executed, n))
		}
	}
	for id, n := range counts {
		if !made[id] {
			wrong = append(wrong, fmt.Sprintf("call %x: nobody made it, and it was executed %d times", id, n))
		}
	}
	slices.Sort(wrong)
	return wrong
}

// bounds returns how often the call may have been executed.
func (c Call) bounds() (low, high int) {
	if high = 1; c.Idempotent {
		high = int(^uint(0) >> 1)
	}
	switch c.Executed {
	case frame.ExecutedNo:
		return 0, 0
	case frame.ExecutedMaybe:
		return 0, high
	case frame.ExecutedYes:
		return 1, high
	}
	return 1, 0 // nothing was said: always wrong
}
