// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

// Package pause waits for a while, but no longer than a context lives.
package pause

import (
	"context"
	"time"
)

// For returns nil once d has passed, and the context's cause as soon as ctx has
// ended. With d of 0 or less it does not wait, but a context that has ended is
// still told. It may be called from any goroutine.
func For(ctx context.Context, d time.Duration) error {
	// Asked first, because select takes either where both are ready: a loop of
	// short pauses must not go on for a while after its context has ended.
	if ctx.Err() != nil || d <= 0 {
		return context.Cause(ctx)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
