// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

// Package load makes closed-loop load and records it: callers that each make one
// call after the other, check every reply, and count every latency.
package load
