// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !race

package conformance_test

const raceFlag = "-race=false"
