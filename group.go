// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"context"
	"sync"
)

// A group owns the goroutines of a client: all end with ctx, and close waits for
// them.
type group struct {
	ctx    context.Context //nolint:containedctx // it is the life of the goroutines
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup

	mu     sync.Mutex // guards what follows; a leaf
	closed bool
}

func newGroup() *group {
	g := new(group)
	g.ctx, g.cancel = context.WithCancelCause(context.Background())
	return g
}

// spawn runs f on a goroutine that close waits for; false: the group is closed.
func (g *group) spawn(f func()) bool {
	// The lock keeps wg.Go from beside wg.Wait, which may not meet at zero.
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.wg.Go(f)
	return true
}

// close ends the context with a cause and returns when every goroutine has ended.
func (g *group) close(cause error) {
	g.mu.Lock()
	g.closed = true
	g.cancel(cause)
	g.mu.Unlock()
	g.wg.Wait()
}
