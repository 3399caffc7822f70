// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zookeeper

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/discovery/layout"
	"github.com/rollcall-rpc/rollcall/zk"
)

// overridesReading is how far a lister is with the overrides' document. Its
// goroutine owns it.
type overridesReading struct {
	wanted  bool // it is to be read, not before at
	at      time.Time
	running bool
	known   bool // it was read since the connection is there
}

// An overridesResult is what a read of the document has brought.
type overridesResult struct {
	readResult
	epoch int
}

// An overridesListener tells a lister what happens to the overrides' document.
type overridesListener struct{ lister *lister }

func (o overridesListener) notify(n notice) { o.lister.inbox.putOverrides(n.kind) }

// wantOverrides asks for the document, as soon as it is known to have changed;
// after a reconnection not all at once.
func (l *lister) wantOverrides(now time.Time, why noticeKind) {
	l.orders.wanted, l.orders.at = true, now
	if why == armed && l.listReady {
		l.orders.at = now.Add(l.stagger())
	}
}

// readOverrides starts a read of the document if one is due.
func (l *lister) readOverrides(ctx context.Context, work *sync.WaitGroup, now time.Time) {
	if !l.orders.wanted || l.orders.running || now.Before(l.orders.at) {
		return
	}
	l.orders.wanted, l.orders.running = false, true
	epoch := l.epoch
	work.Go(func() {
		data, stat, err := l.registry.Get(ctx, l.overridesPath)
		l.overrides <- overridesResult{readResult{l.overridesPath, data, stat, err}, epoch} // one at a time: there is room
	})
}

// takeOverrides carries over what a read of the document has brought. One that
// cannot be read leaves in force what was read before.
func (l *lister) takeOverrides(r overridesResult, now time.Time) {
	l.orders.running = false
	if unanswered(r.err) {
		l.orders.wanted, l.orders.at = true, now.Add(l.backoff.next())
		return
	}
	l.orders.known = r.epoch == l.epoch && l.connected()
	if errors.Is(r.err, zk.ErrNoNode) {
		l.refusals.settled(r.name)
	} else {
		l.refusals.answered(r.name, r.err, now, l.opts.Rand)
	}
	var o *layout.Overrides
	err := r.err
	switch {
	case err == nil:
		o, err = layout.DecodeOverrides(r.data)
	case errors.Is(err, zk.ErrNoNode):
		err = nil
	}
	if err != nil {
		err = fmt.Errorf("overrides cannot be read, those last read stay in force: %w", err)
		if l.view.report(&discovery.Skipped{Name: r.name, Err: err}) {
			l.logger.Warn("overrides cannot be read: those last read stay in force", "path", r.name, "error", err)
		}
		return
	}
	l.view.report(nil)
	if l.view.override(o) {
		l.logger.Info("overrides changed", "instances", len(o.All()))
	}
}
