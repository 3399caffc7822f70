// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix && !linux

package transport

// outQueue cannot tell.
func outQueue(uintptr) (n uint64, known bool) { return 0, false }
