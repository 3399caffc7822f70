// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build race

package conformance_test

// The registry is built as the tests are, so that its races are found too.
const raceFlag = "-race=true"
