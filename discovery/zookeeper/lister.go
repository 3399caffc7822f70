// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zookeeper

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/rollcall-rpc/rollcall/discovery/layout"
	"github.com/rollcall-rpc/rollcall/zk"
)

// A lister keeps the list of one directory, with the overrides in force. One
// goroutine, run, owns its state; lists and reads are made by others, which it
// awaits, so that it can always tell at once that the registry is gone.
type lister struct {
	latest

	registry      registry
	path          string
	overridesPath string
	opts          *Options
	logger        *slog.Logger
	stagger       func() time.Duration // the pause before the list after a reconnection

	users  int                // guarded by shared.mu
	cancel context.CancelFunc // ends run

	inbox inbox

	// What follows is owned by run.
	view      *view
	reads     reads
	refusals  refusals
	orders    overridesReading
	session   zk.Session
	backoff   backoff
	results   chan readResult
	lists     chan listResult
	overrides chan overridesResult
	began     time.Time
	out       outlet

	listing   bool // a list is under way
	relist    bool // a list is wanted, not before listAt
	listAt    time.Time
	readAt    time.Time           // no read is started before
	resyncAt  time.Time           // when everything is read again; zero: never
	sweep     bool                // the next list is to read everything again
	rearmed   bool                // the next list is to read again what may have another content
	touched   map[string]struct{} // names that were told while a list is under way
	life      life                // of the directory at the last list
	lived     bool                // there was a directory at the last list
	epoch     int                 // grows whenever the connection is lost
	listed    bool                // a list came since the connection is there
	listErr   error               // why the last list failed
	listReady bool                // there was a list ever
}

// maxReads bounds the reads under way; maxSweepReads those of a full re-read,
// which nobody waits for.
const (
	maxReads      = 64
	maxSweepReads = 4
)

type readResult struct {
	name string
	data []byte
	stat zk.Stat
	err  error
}

type listResult struct {
	listing
	epoch int
	err   error
}

func newLister(r registry, path string, opts *Options, stagger func() time.Duration) *lister {
	l := &lister{
		registry: r, path: path, overridesPath: layout.OverridesPath(path), opts: opts, stagger: stagger,
		logger:    opts.Logger.With("path", path),
		view:      newView(),
		backoff:   backoff{rand: opts.Rand},
		results:   make(chan readResult, maxReads),
		lists:     make(chan listResult, 1),
		overrides: make(chan overridesResult, 1),
	}
	l.inbox.kick = make(chan struct{}, 1)
	l.reads.byName = map[string]*read{}
	return l
}

func (l *lister) notify(n notice) { l.inbox.put(n) }

// run keeps the list until ctx ends, and awaits what it has started.
func (l *lister) run(ctx context.Context) {
	var work sync.WaitGroup
	defer work.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	l.began = time.Now()
	for ctx.Err() == nil {
		changed := l.registry.Changed() // before Session is read: no change is missed
		now := time.Now()
		l.observeSession(l.registry.Session(), now)
		l.takeNotices(now)
		l.startWork(ctx, &work, now)
		l.publishNews(now)
		if wait, ok := l.nextDeadline(now); ok {
			timer.Reset(wait)
		} else {
			timer.Stop()
		}
		select {
		case <-ctx.Done():
		case <-changed:
		case <-l.inbox.kick:
		case <-timer.C:
		case r := <-l.results:
			l.takeRead(r)
		case r := <-l.lists:
			l.takeList(r, time.Now())
		case r := <-l.overrides:
			l.takeOverrides(r, time.Now())
		}
	}
}

func (l *lister) scheduleResync(now time.Time) {
	if l.opts.Resync > 0 {
		l.resyncAt = now.Add(spread(l.opts.Resync, l.opts.Rand))
	}
}

// nextDeadline returns the time until something is due that no event will tell.
//
// What is asked of each here is what startWork and publishNews ask before they act.
// A deadline that passes and that nobody acts on would wake run again at once, and
// again; what waits for a connection, or for the end of a list, a read or the
// overrides, is woken by that.
func (l *lister) nextDeadline(now time.Time) (wait time.Duration, ok bool) {
	at := l.out.flushAt // an update that was held back
	earlier := func(t time.Time) {
		if at.IsZero() || t.Before(at) {
			at = t
		}
	}
	if !l.resyncAt.IsZero() && l.connected() && l.listed {
		earlier(l.resyncAt)
	}
	if l.relist && !l.listing && l.connected() {
		earlier(l.listAt)
	}
	// Once readAt has passed, what still waits does so for a read under way.
	if now.Before(l.readAt) && l.reads.waiting() {
		earlier(l.readAt)
	}
	if l.orders.wanted && !l.orders.running && l.connected() {
		earlier(l.orders.at)
	}
	if !l.refusals.at.IsZero() && l.connected() {
		earlier(l.refusals.at)
	}
	// Whoever watches is told something by then, be it that there is no list.
	if !l.out.begun {
		earlier(l.began.Add(l.opts.ConnectTimeout))
	}
	return max(0, at.Sub(now)), !at.IsZero()
}

func (l *lister) connected() bool { return l.session.State == zk.StateConnected }

// observeSession notes a lost connection: what is listed must be confirmed anew.
// The watch tells when that can be done. A full re-read that became due in the
// meantime would come on top for everybody at once: it is put off.
func (l *lister) observeSession(s zk.Session, now time.Time) {
	if !l.connected() && s.State == zk.StateConnected {
		l.scheduleResync(now)
	}
	if l.connected() && s.State != zk.StateConnected {
		l.epoch++
		l.listed, l.listErr, l.orders.known = false, nil, false
	}
	l.session = s
}

// takeNotices carries over what the watch has told.
func (l *lister) takeNotices(now time.Time) {
	mail := l.inbox.take()
	if mail.armed {
		first := !l.listReady
		l.relist, l.rearmed, l.listAt = true, true, now
		if !first && mail.list == nil {
			l.listAt = now.Add(l.stagger())
		}
	}
	if mail.overrides != 0 {
		l.wantOverrides(now, mail.overrides)
	}
	for name, kind := range mail.names {
		if l.foreign(name) {
			continue
		}
		if l.listing { // the list may have been made before
			l.touched[name] = struct{}{}
		}
		if kind == deleted {
			l.forget(name)
		} else {
			l.reads.want(name, false)
		}
	}
	// A list that came with the watch saves ours, unless one is under way: that one
	// is older, and would take back what this one says. Then another one is made.
	if mail.list != nil && !l.listing {
		l.relist = false
		l.touched = nil
		l.takeList(listResult{listing: *mail.list, epoch: l.epoch}, now)
	}
}

// startWork starts the list and the reads that are due.
func (l *lister) startWork(ctx context.Context, work *sync.WaitGroup, now time.Time) {
	if !l.connected() {
		return
	}
	if !l.resyncAt.IsZero() && !now.Before(l.resyncAt) && l.listed {
		l.scheduleResync(now)
		l.relist, l.sweep, l.listAt = true, true, now
		l.wantOverrides(now, written)
	}
	for name := range l.refusals.due(now) {
		if name == l.overridesPath {
			l.wantOverrides(now, written)
		} else {
			l.reads.wantSlow(name)
		}
	}
	l.readOverrides(ctx, work, now)
	if l.relist && !l.listing && !now.Before(l.listAt) {
		l.relist, l.listing, l.touched = false, true, map[string]struct{}{}
		epoch := l.epoch
		work.Go(func() {
			names, stat, err := l.registry.Children(ctx, l.path)
			r := listResult{listing: listing{names: names, stat: stat, found: err == nil}, epoch: epoch, err: err}
			if errors.Is(err, zk.ErrNoNode) {
				r.err = nil
			}
			l.lists <- r // one list at a time: there is room
		})
	}
	for !now.Before(l.readAt) {
		name, ok := l.reads.next()
		if !ok {
			return
		}
		work.Go(func() {
			data, stat, err := l.registry.Get(ctx, join(l.path, name))
			l.results <- readResult{name, data, stat, err} // at most maxReads: there is room
		})
	}
}

// foreign reports whether a child of the directory is none of its instances: the
// overrides of the root's lie in the root.
func (l *lister) foreign(name string) bool { return join(l.path, name) == layout.MetaPath(l.path) }

// forget removes a node that is gone.
func (l *lister) forget(name string) {
	l.view.remove(name)
	l.reads.drop(name)
	l.refusals.settled(name)
}
