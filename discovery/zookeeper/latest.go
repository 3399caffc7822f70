// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zookeeper

import (
	"context"
	"sync"

	"github.com/rollcall-rpc/rollcall/discovery"
)

// latest holds the last update of a list for any number of watchers. A watcher
// that is slow misses updates, never the last one.
type latest struct {
	mu      sync.Mutex        // guards what follows
	update  *discovery.Update // nil: none yet
	changed chan struct{}     // closed at the next update
}

// publish makes u the last update.
func (l *latest) publish(u *discovery.Update) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.update = u
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}

// read returns the last update and what will be closed at the next one.
func (l *latest) read() (*discovery.Update, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changed == nil {
		l.changed = make(chan struct{})
	}
	return l.update, l.changed
}

// watch delivers the updates until ctx ends or closed is closed.
func (l *latest) watch(ctx context.Context, closed <-chan struct{}, deliver func(discovery.Update)) error {
	for {
		update, changed := l.read()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-closed:
			return ErrClosed
		default:
		}
		if update != nil {
			deliver(*update)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-closed:
			return ErrClosed
		}
	}
}
