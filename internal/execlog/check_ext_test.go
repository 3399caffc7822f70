// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package execlog_test

import (
	"testing"

	"github.com/rollcall-rpc/rollcall/frame"
	"github.com/rollcall-rpc/rollcall/internal/execlog"
)

func TestCheck(t *testing.T) {
	// Whether it is right that the call was executed 0, 1 and 2 times.
	for _, tt := range []struct {
		idempotent bool
		executed   frame.Executed
		right      [3]bool
	}{
		{false, frame.ExecutedNo, [3]bool{true, false, false}},
		{false, frame.ExecutedMaybe, [3]bool{true, true, false}},
		{false, frame.ExecutedYes, [3]bool{false, true, false}},
		{false, 0, [3]bool{}},
		{true, frame.ExecutedNo, [3]bool{true, false, false}},
		{true, frame.ExecutedMaybe, [3]bool{true, true, true}},
		{true, frame.ExecutedYes, [3]bool{false, true, true}},
	} {
		for times, want := range tt.right {
			counts := map[uint64]int{}
			if times > 0 {
				counts[7] = times
			}
			wrong := execlog.Check(counts, []execlog.Call{{ID: 7, Idempotent: tt.idempotent, Executed: tt.executed}})
			if got := len(wrong) == 0; got != want {
				t.Errorf("idempotent: %t, told %v, executed %d times: right: %t, want %t: %v", tt.idempotent, tt.executed, times, got, want, wrong)
			}
		}
	}
	if wrong := execlog.Check(map[uint64]int{1: 1}, nil); len(wrong) != 1 {
		t.Errorf("a call that nobody made: %v", wrong)
	}
	twice := execlog.Call{ID: 1, Executed: frame.ExecutedMaybe}
	if wrong := execlog.Check(nil, []execlog.Call{twice, twice}); len(wrong) != 1 {
		t.Errorf("an id that two calls have: %v", wrong)
	}
}
