// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package main

// cpuSeconds is not known here.
func cpuSeconds() (float64, bool) { return 0, false }
