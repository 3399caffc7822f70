// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"context"
	"sync"
	"time"
)

// A CallContext is a handler's context. Most handlers never ask it for Done, so
// a real one, with its timer and its place in its parent's list, is made only
// when they do. It is not pooled: what a handler started may keep it. The zero value
// is for [ServerOptions.NewCall], and of no use before the connection has it.
type CallContext struct {
	parent   context.Context //nolint:containedctx // that is what it is
	deadline time.Time

	mu     sync.Mutex      // guards what follows
	real   context.Context //nolint:containedctx // it ends with the owner, who made it
	cancel context.CancelCauseFunc
	err    error // set once
	cause  error
}

// Deadline implements context.Context.
func (c *CallContext) Deadline() (time.Time, bool) {
	if c.deadline.IsZero() {
		return c.parent.Deadline()
	}
	return c.deadline, true
}

// Done implements context.Context.
func (c *CallContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.materialize().Done()
}

// Err implements context.Context.
func (c *CallContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.err != nil:
	case c.real != nil:
		c.err = c.real.Err()
	case c.parent.Err() != nil:
		c.err = c.parent.Err()
	case !c.deadline.IsZero() && time.Until(c.deadline) <= 0:
		c.err = context.DeadlineExceeded
	}
	return c.err
}

// Value implements context.Context. Package context looks here, after Done, for
// the context behind it, so that children need no goroutine.
func (c *CallContext) Value(key any) any {
	c.mu.Lock()
	from := c.parent
	if c.real != nil {
		from = c.real
	}
	c.mu.Unlock()
	return from.Value(key)
}

// end cancels the context; the first cause counts.
func (c *CallContext) end(cause error) {
	c.mu.Lock()
	if c.err == nil && c.real == nil {
		c.err, c.cause = context.Canceled, cause
		if !c.deadline.IsZero() && time.Until(c.deadline) <= 0 {
			c.err = context.DeadlineExceeded // the client's CANCEL came a moment later
		}
	}
	cancel := c.cancel
	c.mu.Unlock()
	if cancel != nil {
		cancel(cause)
	}
}

// materialize makes the real context. mu is held.
func (c *CallContext) materialize() context.Context {
	if c.real != nil {
		return c.real
	}
	ctx, cancel := context.WithCancelCause(c.parent)
	switch {
	case c.err != nil:
		cancel(c.cause)
	case !c.deadline.IsZero():
		inner, stop := context.WithDeadline(ctx, c.deadline)
		outer := cancel
		ctx, cancel = inner, func(cause error) {
			outer(cause)
			stop()
		}
	}
	c.real, c.cancel = ctx, cancel
	return ctx
}
