// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package chaos

import "testing"

// A share is that of the calls between, and 0 where there were none.
func TestShareOf(t *testing.T) {
	before := []usage{{Executed: 100}, {Executed: 200}, {Executed: 0}}
	after := []usage{{Executed: 110}, {Executed: 210}, {Executed: 40}}
	for of, want := range []float64{0.5, 0.5, 2} {
		if got := shareOf(before, after, of); got != want {
			t.Errorf("server %d: got %v, want %v", of, got, want)
		}
	}
	if got := shareOf(before, before, 0); got != 0 {
		t.Errorf("of nothing: got %v, want 0", got)
	}
}
