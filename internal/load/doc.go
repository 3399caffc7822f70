// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

// Package load makes load and records it. [Run] makes closed-loop load: callers
// that each make one call after the other, check every reply, and count every
// latency. [Open] makes open-loop load: calls that begin when they are due,
// whatever became of those before.
package load
