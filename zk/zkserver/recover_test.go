// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"math"
	"testing"
)

func TestNextEpoch(t *testing.T) {
	for _, tt := range []struct {
		name              string
		last, first, want int64
	}{
		{"the clock is ahead of the data", 5<<32 | 77, 9<<32 | 123, 9<<32 | 123},
		{"later in the same second", 9<<32 | 77, 9<<32 | 123, 9<<32 | 123},
		{"the clock stands still", 9<<32 | 123, 9<<32 | 123, 10 << 32},
		{"the clock was set back", 9<<32 | 77, 5<<32 | 123, 10 << 32},
		{"the last epoch", math.MaxInt32<<32 | 77, 5 << 32, math.MaxInt32<<32 | 78},
	} {
		if got := nextEpoch(tt.last, tt.first); got != tt.want || got <= tt.last {
			t.Errorf("%s: got 0x%x behind 0x%x, want 0x%x", tt.name, got, tt.last, tt.want)
		}
	}
}
