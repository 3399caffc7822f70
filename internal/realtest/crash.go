// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package realtest

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
)

const (
	// CrashRoundsVariable is the environment variable that says how many rounds a
	// crash test goes; 30 by default.
	CrashRoundsVariable = "ROLLCALL_CRASH_ROUNDS"
	// CrashSeedVariable is the environment variable that has a crash test begin
	// with the seed that an earlier run printed.
	CrashSeedVariable = "ROLLCALL_CRASH_SEED"
)

// CrashRounds returns how many rounds a crash test goes.
func CrashRounds(t testing.TB) int {
	t.Helper()
	return int(fromEnvironment(t, CrashRoundsVariable, 30)) //nolint:gosec // of whoever runs the tests
}

// CrashSeed returns the seed of a crash test and logs it: another one each time,
// unless the environment says which.
func CrashSeed(t testing.TB) uint64 {
	t.Helper()
	seed := fromEnvironment(t, CrashSeedVariable, rand.Uint64()) //nolint:gosec // no secret
	t.Logf("%s=%d", CrashSeedVariable, seed)
	return seed
}

func fromEnvironment(t testing.TB, variable string, otherwise uint64) uint64 {
	t.Helper()
	text, ok := os.LookupEnv(variable)
	if !ok {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s %q: %v: give a number", variable, text, err)
	}
	return n
}
