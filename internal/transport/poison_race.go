// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build race

package transport

// raceEnabled says that the race detector is on.
const raceEnabled = true

// poison overwrites a released buffer, so that a use after release is seen.
func poison(b []byte) {
	if len(b) == 0 {
		return
	}
	b[0] = 0xdb
	for n := 1; n < len(b); n *= 2 { // one check of the race detector per copy
		copy(b[n:], b[:n])
	}
}
