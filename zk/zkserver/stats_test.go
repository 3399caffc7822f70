// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"math/rand/v2"
	"testing"
	"time"
)

// The words tell whole milliseconds of a state's: those of the nanoseconds that
// were measured, whatever the fraction.
func TestWholeMillis(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		ms := rng.Int64N(1 << rng.IntN(31)) // up to 12 days
		for _, ns := range []int64{0, 1, rng.Int64N(1e6), 1e6 - 1} {
			s := spread{count: 1, least: ms*1e6 + ns, most: ms*1e6 + ns, last: ms*1e6 + ns, sum: ms*1e6 + ns}
			st := s.state()
			if int64(st.MinMS) != ms || int64(st.MaxMS) != ms || int64(st.LastMS) != ms {
				t.Fatalf("%v: got %v ms", time.Duration(s.least), int64(st.MinMS))
			}
		}
	}
}
