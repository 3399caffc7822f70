// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zookeeper

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-rpc/rollcall/internal/pause"
	"github.com/rollcall-rpc/rollcall/zk"
)

// A noticeKind says what a watcher has seen.
type noticeKind uint8

const (
	// armed: from now on nothing is missed, but before something may have been.
	armed noticeKind = iota + 1
	written
	deleted
)

// A notice is what a watcher tells its listeners.
type notice struct {
	kind noticeKind
	name string   // the child; empty with armed
	list *listing // with armed, where the watch came with a list
}

// A listing is the children of a directory at one moment.
type listing struct {
	names []string
	stat  zk.Stat
	found bool // the directory exists
}

// A listener is told of every notice, serially. It must not block.
type listener interface{ notify(notice) }

// A watcher holds the one watch of a directory, or of one node alone, and tells
// its listeners what it sees.
type watcher struct {
	registry registry
	path     string
	alone    bool          // the node's own data are watched, instead of its children
	pause    time.Duration // at least, between two lists with one-shot watches
	oneShot  *atomic.Bool  // of the session: the registry knows no persistent watches
	logger   *slog.Logger
	backoff  backoff

	done   chan struct{}      // closed when run has returned
	users  int                // guarded by shared.mu
	cancel context.CancelFunc // guarded by shared.mu; ends the present watch; nil: it ends, or has not begun

	mu        sync.Mutex // guards what follows
	listeners map[listener]struct{}
	// armed: the listeners were told that they may look. It stays true while a
	// watch that ended is made again: who comes meanwhile is told at once, looks, and
	// is told again when the next one is there. Once too often is harmless; a
	// listener that is never told would wait for ever.
	armed bool
}

// add makes l a listener. When the watch is armed already, and stays, l is told at
// once: under the lock, so that no later notice comes before. Of one that ends
// nothing is told: it may be off the server already, and a list made now would have
// no watch behind it.
func (w *watcher) add(l listener, stays bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.listeners[l] = struct{}{}
	if w.armed && stays {
		l.notify(notice{kind: armed})
	}
}

func (w *watcher) remove(l listener) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.listeners, l)
}

func (w *watcher) tell(n notice) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.armed = true
	for l := range w.listeners {
		l.notify(n)
	}
}

// run watches until ctx ends, whatever happens meanwhile.
func (w *watcher) run(ctx context.Context) {
	// A watcher may run again, see shared.runWatcher: then nothing is armed at first.
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.armed = false
	}()
	for ctx.Err() == nil {
		var err error
		if w.oneShot.Load() {
			err = w.watchOnce(ctx)
		} else {
			err = w.watchPersistent(ctx)
		}
		if ctx.Err() != nil {
			return
		}
		// For the whole session: other watchers need not find it out, and it is said
		// once.
		if errors.Is(err, zk.ErrUnimplemented) && !w.oneShot.Swap(true) {
			w.logger.Info("registry has no persistent watches: using one-shot watches", "path", w.path)
			continue
		}
		w.logger.Debug("watch ended", "path", w.path, "error", err)
		if !unanswered(err) {
			// Without a watch the listeners read at each attempt: they learn what
			// the registry has against it, and a node alone must not keep the list
			// back that waits for it.
			kind := armed
			if w.alone {
				kind = written
			}
			w.tell(notice{kind: kind})
		}
		pause.For(ctx, w.backoff.next()) //nolint:errcheck // the loop asks
	}
}

// watchPersistent tells what a persistent recursive watch sees until it ends.
func (w *watcher) watchPersistent(ctx context.Context) error {
	mode := zk.PersistentRecursive
	if w.alone {
		mode = zk.Persistent
	}
	watch, err := w.registry.AddWatch(ctx, w.path, mode)
	if err != nil {
		return err
	}
	defer watch.Close() // there is nothing left that it could spoil
	w.backoff.reset()
	// Not before: what happens between a look and the watch would be missed.
	w.tell(notice{kind: armed})
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case ev, open := <-watch.Events():
			if !open {
				return zk.ErrClosed
			}
			if ev.Err != nil {
				return ev.Err
			}
			w.tellEvent(ev)
		}
	}
}

func (w *watcher) tellEvent(ev zk.Event) {
	kind := written
	switch ev.Type {
	case zk.Rearmed, zk.Lost: // events may have been missed: look at everything
		w.tell(notice{kind: armed})
		return
	case zk.NodeDeleted:
		kind = deleted
	case zk.NodeCreated, zk.NodeDataChanged:
	default:
		return
	}
	if w.alone {
		w.tell(notice{kind: kind})
		return
	}
	// What happens to the directory itself shows in its children.
	if name := childName(w.path, ev.Path); name != "" {
		w.tell(notice{kind: kind, name: name})
	}
}

// watchOnce tells a new list on every change of the children; alone, that the node
// has changed.
func (w *watcher) watchOnce(ctx context.Context) error {
	for {
		session, err := w.awaitSession(ctx)
		if err != nil {
			return err
		}
		news, events, err := w.lookAndWatch(ctx)
		if err != nil {
			return err
		}
		w.backoff.reset()
		w.tell(news)
		if err := w.awaitEvent(ctx, events, session); err != nil {
			return err
		}
		// A list for each of many changes in a row would cost the square of them.
		if err := pause.For(ctx, w.pause); err != nil {
			return err
		}
	}
}

// lookAndWatch lists the children and leaves a watch, on the directory's existence
// while there is none. A node alone gets the watch, and is for the listeners to
// read.
func (w *watcher) lookAndWatch(ctx context.Context) (notice, <-chan zk.Event, error) {
	if w.alone {
		_, _, events, err := w.registry.ExistsW(ctx, w.path)
		return notice{kind: written}, events, err
	}
	const attempts = 3 // the directory may come between the two reads
	for range attempts {
		names, stat, events, err := w.registry.ChildrenW(ctx, w.path)
		if !errors.Is(err, zk.ErrNoNode) {
			return notice{kind: armed, list: &listing{names: names, stat: stat, found: true}}, events, err
		}
		_, found, events, err := w.registry.ExistsW(ctx, w.path)
		if !found || err != nil {
			return notice{kind: armed, list: &listing{}}, events, err
		}
	}
	return notice{}, nil, fmt.Errorf("zookeeper: %s comes and goes", w.path)
}

// awaitSession waits for a connection. A list that was asked for before there
// was one could not be told from a list made before a reconnection, and would be
// made twice.
func (w *watcher) awaitSession(ctx context.Context) (zk.Session, error) {
	for {
		changed := w.registry.Changed()
		switch s := w.registry.Session(); s.State {
		case zk.StateConnecting, zk.StateExpired:
		default: // connected, or in a state that no request outlives
			return s, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return zk.Session{}, ctx.Err()
		}
	}
}

// awaitEvent waits for the event of a one-shot watch. Meanwhile it tells of each
// reconnection, for then the listeners want to list, though nothing changed.
func (w *watcher) awaitEvent(ctx context.Context, events <-chan zk.Event, session zk.Session) error {
	for {
		changed := w.registry.Changed()
		now := w.registry.Session()
		if now.State == zk.StateConnected && !now.Since.Equal(session.Since) {
			session = now
			w.tell(notice{kind: armed})
		}
		select {
		case <-changed:
		case ev := <-events:
			// An expiry took the watch along: the next round makes another one, in the
			// next session.
			if ev.Err != nil && !errors.Is(ev.Err, zk.ErrSessionExpired) {
				return ev.Err
			}
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
