// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"time"

	"github.com/rollcall-rpc/rollcall/frame"
)

// The defaults of the options.
const (
	DefaultKeepaliveInterval = 300 * time.Millisecond
	DefaultKeepaliveMisses   = 3
	DefaultHandshakeTimeout  = 10 * time.Second
	DefaultQueueBytes        = 1 << 20
)

// settings leaves out what is the protocol's default anyway.
func settings(maxFrame, message, metadata, streams int) frame.Settings {
	unless := func(v, def int) uint32 {
		if v == def {
			return 0
		}
		return uint32(v) //nolint:gosec // clamped
	}
	return frame.Settings{
		MaxFrame:    unless(maxFrame, frame.DefaultMaxFrame),
		MaxMessage:  unless(message, frame.DefaultMaxMessage),
		MaxMetadata: unless(metadata, frame.DefaultMaxMetadata),
		MaxStreams:  unless(streams, frame.DefaultMaxStreams),
	}
}

func defaulted[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

// clamp takes zero and less as the default: a limit cannot be switched off.
func clamp(v, def, low, high int) int {
	if v <= 0 {
		v = def
	}
	return min(max(v, low), high)
}
