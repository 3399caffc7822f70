// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zookeeper

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/zk"
)

// ErrClosed is what a closed [Session] answers.
var ErrClosed = errors.New("zookeeper: session closed")

// closeWait bounds how long Close waits for the confirmation that what was
// registered is gone.
const closeWait = time.Second

// open holds the sessions that may be shared, by their key.
var open = struct {
	mu    sync.Mutex // guards what follows, and every shared.handles
	byKey map[sharingKey]*shared
}{byKey: map[sharingKey]*shared{}}

// A Session is a handle on the ZooKeeper session that this process has with one
// registry. All methods may be called from any goroutine.
type Session struct {
	shared *shared
	opts   Options
	closed chan struct{}

	mu            sync.Mutex // guards what follows
	registrations map[*registration]struct{}
	isClosed      bool
	closeOnce     sync.Once
	closeErr      error
}

// Open returns a handle on the session with these servers, "host:port" each, in
// any order. It does not wait for them: an error means that a server or an
// option is not valid, and names all that are not. Sessions are shared, see
// [Options]; each handle must be closed.
func Open(servers []string, opts Options) (*Session, error) {
	if err := opts.Check(); err != nil {
		return nil, fmt.Errorf("zookeeper: %w", err)
	}
	private := opts.Dial != nil
	opts = opts.withDefaults()
	s := &Session{opts: opts, closed: make(chan struct{}), registrations: map[*registration]struct{}{}}
	if private {
		sh, err := dial(servers, opts)
		if err != nil {
			return nil, err
		}
		sh.handles = 1
		s.shared = sh
		return s, nil
	}
	key := opts.key(servers)
	open.mu.Lock()
	defer open.mu.Unlock()
	sh := open.byKey[key]
	if sh == nil {
		var err error
		if sh, err = dial(servers, opts); err != nil {
			return nil, err
		}
		sh.key = key
		open.byKey[key] = sh
	}
	sh.handles++
	s.shared = sh
	return s, nil
}

// OpenTarget is Open with the servers of a target, and with TLS where that says
// so: zks:// without Options.TLS trusts the system's roots. A target that is no
// registry is a *[discovery.TargetError].
func OpenTarget(target discovery.Target, opts Options) (*Session, error) {
	if target.Scheme != discovery.SchemeZooKeeper {
		return nil, &discovery.TargetError{
			Target: target.String(), Field: "scheme", Value: target.Scheme,
			Fix: "a registry is zk://host:port[,host:port…]/path, or zks:// where it speaks TLS",
		}
	}
	if target.TLS && opts.TLS == nil {
		opts.TLS = systemRoots
	}
	return Open(target.Hosts, opts)
}

// systemRoots is the configuration of zks:// alone: one pointer, so that sessions
// are shared.
var systemRoots = &tls.Config{MinVersion: tls.VersionTLS12}

// dial opens a ZooKeeper session.
func dial(servers []string, opts Options) (*shared, error) {
	c, err := zk.New(servers, zk.Options{
		SessionTimeout: opts.SessionTimeout, ConnectTimeout: opts.ConnectTimeout,
		Auths: opts.Auths, WatchQueue: watchQueue, TLS: opts.TLS, Dial: opts.Dial, Logger: opts.Logger, Rand: opts.Rand,
	})
	if err != nil {
		return nil, fmt.Errorf("zookeeper: %w", err)
	}
	return newShared(client{c}, opts), nil
}

// watchQueue is how many events may wait for a watcher, which only carries them
// over into inboxes.
const watchQueue = 1024

// Status tells where the ZooKeeper session stands.
func (s *Session) Status() zk.Session { return s.shared.registry.Session() }

// Resolver returns the Resolver of a service's directory. Its Watch fails with
// ErrClosed once the handle is closed, and at once if path is no path.
func (s *Session) Resolver(path string) discovery.Resolver { return &resolver{s, path} }

// Registrar returns the Registrar of a service's directory, which is created
// when it is missing. Its Register fails with ErrClosed once the handle is
// closed.
func (s *Session) Registrar(path string) discovery.Registrar { return &registrar{s, path} }

// Close ends the watches of the handle and deregisters what it has registered.
// The last handle closes the ZooKeeper session, which removes every node of it
// at once, and waits for all goroutines. Another one waits up to a second for
// the confirmation that its nodes are gone; after that they are removed in the
// background, and Close says so. Closing again does nothing more.
func (s *Session) Close() error {
	s.closeOnce.Do(func() { s.closeErr = s.close() })
	return s.closeErr
}

func (s *Session) close() error {
	s.mu.Lock()
	s.isClosed = true
	close(s.closed)
	var left []*registration
	for r := range s.registrations {
		left = append(left, r)
	}
	s.mu.Unlock()
	for _, r := range left {
		r.giveUp()
	}

	open.mu.Lock()
	s.shared.handles--
	last := s.shared.handles == 0
	if last && s.shared.key != (sharingKey{}) {
		delete(open.byKey, s.shared.key)
	}
	open.mu.Unlock()
	if last {
		return s.shared.close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeWait)
	defer cancel()
	for i, r := range left {
		if err := r.Deregister(ctx); err != nil {
			return fmt.Errorf("zookeeper: close: %d of %d nodes not confirmed to be gone: %w", len(left)-i, len(left), err)
		}
	}
	return nil
}

// over reports whether the handle is closed.
func (s *Session) over() bool {
	select {
	case <-s.closed:
		return true
	default:
		return false
	}
}

// A resolver is a Resolver of one directory.
type resolver struct {
	session *Session
	path    string
}

// Watch implements [discovery.Resolver].
func (r *resolver) Watch(ctx context.Context, deliver func(discovery.Update)) error {
	path, err := cleanPath(r.path)
	if err != nil {
		return err
	}
	l, err := r.session.shared.retainLister(path)
	if err != nil {
		return err
	}
	defer r.session.shared.releaseLister(l)
	return l.watch(ctx, r.session.closed, deliver)
}
