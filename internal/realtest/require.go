// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package realtest

import (
	"os"
	"testing"
)

// RequireVariable is the environment variable that turns skipped tests into
// failed ones when it is "all".
const RequireVariable = "ROLLCALL_TEST_REQUIRE"

// LongVariable is the environment variable that has long tests run when it is
// "1".
const LongVariable = "ROLLCALL_TEST_LONG"

// Long skips the test unless long tests are wanted.
func Long(t testing.TB) {
	t.Helper()
	if os.Getenv(LongVariable) != "1" {
		t.Skipf("it takes minutes: run it with %s=1, or make long", LongVariable)
	}
}

// Require skips the test unless ok. name is what the test needs, hint how to get
// it. With [RequireVariable] set to "all" the test fails instead.
func Require(t testing.TB, name string, ok bool, hint string) {
	t.Helper()
	switch {
	case ok:
	case os.Getenv(RequireVariable) == "all":
		t.Fatalf("%s is required by %s=all and is missing: %s", name, RequireVariable, hint)
	default:
		t.Skipf("%s is missing: %s", name, hint)
	}
}
