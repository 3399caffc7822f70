// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"io"
	"testing"

	"github.com/rollcall-rpc/rollcall"
)

// A refusal counts as one only if the call was surely not executed.
func TestRushCounts(t *testing.T) {
	busy := &rollcall.Error{Code: rollcall.CodeUnavailable, Reason: rollcall.ReasonBusy, Executed: rollcall.ExecutedNo}
	unsure := *busy
	unsure.Executed = rollcall.ExecutedMaybe
	late := &rollcall.Error{Code: rollcall.CodeDeadlineExceeded}
	for _, tt := range []struct {
		err    error
		passed bool
		want   rushEnds
	}{
		{nil, false, rushEnds{good: 1}},
		{nil, true, rushEnds{late: 1}},
		{late, true, rushEnds{late: 1}},
		{busy, false, rushEnds{busy: 1}},
		{busy, true, rushEnds{busy: 1}},
		{&unsure, false, rushEnds{failed: 1}},
		{io.EOF, false, rushEnds{failed: 1}},
	} {
		var got rushEnds
		if got.count(tt.err, tt.passed); got != tt.want || got.calls() != 1 {
			t.Errorf("%v, passed %v: got %+v, want %+v", tt.err, tt.passed, got, tt.want)
		}
	}
}
