// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !race

package transport

// raceEnabled says that the race detector is on.
const raceEnabled = false

func poison([]byte) {}
