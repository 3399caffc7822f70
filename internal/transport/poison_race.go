// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build race

package transport

// raceEnabled says that the race detector is on.
const raceEnabled = true

// poison overwrites a released buffer, so that a use after release is seen.
func poison(b []byte) {
	for i := range b {
		b[i] = 0xdb
	}
}
