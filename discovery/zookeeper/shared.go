// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zookeeper

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/internal/zkpath"
)

// shared is a ZooKeeper session and what the handles on it share: the watchers
// and the lister of each path. It owns every goroutine of this package.
type shared struct {
	key      sharingKey // in open.byKey; zero: private
	handles  int        // guarded by open.mu
	registry registry
	opts     Options
	oneShot  atomic.Bool // the registry knows no persistent watches
	plain    atomic.Bool // the registry knows no create that answers with the Stat

	ctx    context.Context //nolint:containedctx // the life of the goroutines
	cancel context.CancelFunc
	work   sync.WaitGroup

	mu       sync.Mutex // guards what follows
	closed   bool
	watchers map[watchKey]*watcher
	listers  map[string]*lister
	claims   map[string]*registration // by the node's path: whose node it is
}

// A watchKey tells what is watched.
type watchKey struct {
	path  string
	alone bool // see watcher
}

func newShared(r registry, opts Options) *shared {
	s := &shared{
		registry: r, opts: opts,
		watchers: map[watchKey]*watcher{}, listers: map[string]*lister{}, claims: map[string]*registration{},
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// close ends the session and waits for every goroutine.
func (s *shared) close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	err := s.registry.Close()
	s.work.Wait()
	return err
}

// retainLister returns the lister of a path and counts the caller as its user.
func (s *shared) retainLister(path string) (*lister, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	l := s.listers[path]
	if l == nil {
		l = newLister(s.registry, path, &s.opts, s.stagger)
		children, overrides := watchKey{path: path}, watchKey{l.overridesPath, true}
		var ctx context.Context
		ctx, l.cancel = context.WithCancel(s.ctx)
		s.listers[path] = l
		s.work.Go(func() {
			l.run(ctx)
			s.unsubscribe(children, l)
			s.unsubscribe(overrides, overridesListener{l})
		})
		s.subscribeLocked(children, l)
		s.subscribeLocked(overrides, overridesListener{l})
	}
	l.users++
	return l, nil
}

// releaseLister ends the lister when nobody uses it any more.
func (s *shared) releaseLister(l *lister) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l.users--
	if l.users == 0 {
		l.cancel()
		delete(s.listers, l.path)
	}
}

// subscribe makes l a listener of a watcher.
func (s *shared) subscribe(what watchKey, l listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.subscribeLocked(what, l)
}

// subscribeLocked makes l a listener of a watcher. s.mu is held.
func (s *shared) subscribeLocked(what watchKey, l listener) {
	w := s.watchers[what]
	if w == nil {
		w = &watcher{
			registry: s.registry, path: what.path, alone: what.alone, pause: s.opts.MinUpdateInterval, oneShot: &s.oneShot,
			logger: s.opts.Logger, backoff: backoff{rand: s.opts.Rand},
			done: make(chan struct{}), listeners: map[listener]struct{}{},
		}
		s.watchers[what] = w
		s.work.Go(func() { s.runWatcher(w) })
	}
	w.users++
	w.add(l, w.cancel != nil)
}

// unsubscribe ends the watch when nobody listens any more.
func (s *shared) unsubscribe(what watchKey, l listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.watchers[what]
	w.remove(l)
	w.users--
	if w.users == 0 && w.cancel != nil {
		w.cancel()
		w.cancel = nil
	}
}

// runWatcher runs a watcher while it has users. One that gets a new user while
// its watch is being taken off the server arms it again afterwards: two watches
// of one path would get in each other's way.
func (s *shared) runWatcher(w *watcher) {
	defer close(w.done)
	for {
		ctx, cancel := context.WithCancel(s.ctx)
		s.mu.Lock()
		if w.users == 0 {
			delete(s.watchers, watchKey{w.path, w.alone})
			s.mu.Unlock()
			cancel()
			return
		}
		w.cancel = cancel
		s.mu.Unlock()
		w.run(ctx)
		cancel()
		if s.ctx.Err() != nil {
			return
		}
	}
}

// stagger returns how long to wait with a list after a reconnection: nothing
// with a few paths, else up to 2 ms for each and at most 2 s.
func (s *shared) stagger() time.Duration {
	s.mu.Lock()
	paths := len(s.listers)
	s.mu.Unlock()
	if paths <= 16 {
		return 0
	}
	return time.Duration(s.opts.Rand() * float64(min(2*time.Second, time.Duration(paths)*2*time.Millisecond)))
}

// claim makes a node r's unless it is another registration's. Then r finds at its
// next look that the node is not its own.
func (s *shared) claim(node string, r *registration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.claims[node] == nil {
		s.claims[node] = r
	}
}

// disclaim takes a claim back.
func (s *shared) disclaim(node string, r *registration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.claims[node] == r {
		delete(s.claims, node)
	}
}

// claimedByOther reports whether a node is another registration's.
func (s *shared) claimedByOther(node string, r *registration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	owner := s.claims[node]
	return owner != nil && owner != r
}

// cleanPath returns the path of a directory without a slash at its end, or a
// *[discovery.TargetError].
func cleanPath(path string) (string, error) {
	clean, err := zkpath.Clean(path)
	if err != nil {
		return "", &discovery.TargetError{Target: path, Field: "path", Value: path, Fix: err.Error()}
	}
	return clean, nil
}
