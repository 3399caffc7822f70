// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"container/list"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-rpc/rollcall/internal/loglimit"
	"github.com/rollcall-rpc/rollcall/internal/shortage"
	"github.com/rollcall-rpc/rollcall/zk/internal/hook"
	"github.com/rollcall-rpc/rollcall/zk/zkserver/internal/tree"
)

// ErrServerClosed is what Serve returns on a Server that was closed.
var ErrServerClosed = errors.New("zkserver: server closed")

// A Server holds a znode tree and sessions and serves them on any number of
// listeners. [New] makes one.
type Server struct {
	opts    Options
	secret  [32]byte // of the session passwords
	started time.Time
	first   int64 // zxid with which this life begins
	kept    int64 // zxid up to which it has found data; there is none between the two
	stats   stats
	stalled atomic.Int64 // ns for which the sessions' time stood still

	traceMask atomic.Int64
	held      budget            // what connections hold of the memory that they share
	log       *loglimit.Limiter // for lines that clients and strangers can cause
	guesses   guesses           // of passwords

	// pub is held in full while a version is published and its events and
	// replies are queued, and shared by readers on connections that may have
	// watches: an event and the reply of a read are then queued in the order of
	// what they show.
	pub     sync.RWMutex
	version atomic.Pointer[tree.Tree]
	watches watchTable
	queue   queue
	disk    *disk         // nil: everything is in memory
	failed  chan struct{} // closed when fatal is set

	life      sync.Mutex // held while the owner is started and stopped
	stopOwner func()     // guarded by life

	mu          sync.Mutex // guards what follows
	closed      bool
	fatal       error // why nothing is served any more
	serves      map[*serve]struct{}
	sessions    map[int64]*session
	lastSession int64
	conns       map[*conn]*serve
	hosts       map[string]int // connections per remote address
	silent      list.List      // connections that give way: without a first request, or waiting for their guesses; the oldest first
}

// New returns a Server with an empty tree, or with what its data directory holds,
// which it keeps locked until [Server.Close]. It starts nothing. The error names
// every bad option, or is a [*DataError].
func New(opts Options) (*Server, error) {
	if err := opts.check(); err != nil {
		return nil, err
	}
	first := opts.Epoch << 32
	opts = opts.withDefaults()
	if first == 0 {
		first = firstZxid(opts.Clock.Now())
		opts.Epoch = first >> 32
	}
	s := &Server{
		opts:     opts,
		started:  opts.Clock.Now(),
		serves:   map[*serve]struct{}{},
		sessions: map[int64]*session{},
		conns:    map[*conn]*serve{},
		hosts:    map[string]int{},
		failed:   make(chan struct{}),
		log:      loglimit.New(opts.Logger, opts.Clock.Now),
	}
	rand.Read(s.secret[:])
	s.traceMask.Store(firstTraceMask)
	s.guesses.init()
	s.held.init(opts.MaxBufferedBytes)
	s.queue.init(opts.MaxOutstanding)
	s.watches.init(opts.MaxWatchBytes)
	s.first = first
	s.version.Store(tree.New(first))
	if opts.durable() {
		if err := s.openDisk(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// A serve is one call of Serve.
type serve struct {
	listener net.Listener
	cancel   context.CancelFunc
	hooks    *hook.Slot // of tests; nil: none
	done     chan struct{}
	stopping bool           // guarded by Server.mu: no connection may be added
	conns    sync.WaitGroup // the goroutines of its connections
}

// ListenAndServe listens on the TCP address and serves it, see [Server.Serve].
func (s *Server) ListenAndServe(ctx context.Context, address string) error {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("zkserver: listen: %w", err)
	}
	return s.Serve(ctx, l)
}

// Serve accepts connections from l and serves them until ctx ends, Close is
// called or l fails. It then closes l and its connections and returns when all
// their goroutines have ended: nil after ctx has ended, [ErrServerClosed] after
// Close, the store's error after the data could not be kept, else the listener's
// error.
//
// Several listeners may be served at the same time. The tree and the sessions
// stay when Serve returns, and a later Serve goes on with them: time does not
// pass for a session while nothing is served, and each has its full timeout
// again when serving begins.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	sv := &serve{listener: l, cancel: cancel, hooks: hook.FromContext(ctx), done: make(chan struct{})}
	if err := s.begin(sv); err != nil {
		l.Close()
		return err
	}
	defer s.end(sv)
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		l.Close()
		close(closed)
	})
	err := s.accept(ctx, sv)
	// A second Close returns before the first has freed the port, so the first is
	// waited for.
	if stop() {
		l.Close()
	} else {
		<-closed
	}
	s.cutAll(sv)
	sv.conns.Wait()
	if over := s.over(); over != nil {
		return over
	}
	return err
}

// accept hands the connections of sv to goroutines until ctx ends (nil) or the
// listener fails for good.
func (s *Server) accept(ctx context.Context, sv *serve) error {
	for {
		nc, err := sv.listener.Accept()
		if ctx.Err() != nil {
			if err == nil {
				nc.Close()
			}
			return nil
		}
		if err != nil {
			if !isTemporary(err) {
				return fmt.Errorf("zkserver: accept: %w", err)
			}
			s.log.Warn("accept failed, going on", slog.Any("error", err))
			select {
			case <-ctx.Done():
			case <-time.After(acceptPause):
			}
			continue
		}
		s.admit(sv, nc)
	}
}

// acceptPause is how long accepting rests after it has failed for lack of
// resources (file descriptors).
const acceptPause = 20 * time.Millisecond

// isTemporary reports whether accepting may succeed later.
func isTemporary(err error) bool {
	if shortage.Is(err) {
		return true // package net counts descriptors alone
	}
	var ne interface{ Temporary() bool }
	return errors.As(err, &ne) && ne.Temporary() && !errors.Is(err, net.ErrClosed)
}

// begin notes sv and starts the owner with the first one, unless serving is over.
func (s *Server) begin(sv *serve) error {
	s.life.Lock()
	defer s.life.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.overLocked(); err != nil {
		return err
	}
	if len(s.serves) == 0 {
		s.startOwner()
	}
	s.serves[sv] = struct{}{}
	return nil
}

// end forgets sv and stops the owner with the last one.
func (s *Server) end(sv *serve) {
	s.life.Lock()
	defer s.life.Unlock()
	s.mu.Lock()
	delete(s.serves, sv)
	last := len(s.serves) == 0
	s.mu.Unlock()
	if last {
		s.stopOwner()
	}
	close(sv.done)
}

// over returns why nothing can be served any more, or nil.
func (s *Server) over() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.overLocked()
}

func (s *Server) overLocked() error {
	if s.fatal == nil && s.closed {
		return ErrServerClosed
	}
	return s.fatal
}

// Close ends every Serve, closes all connections, and returns when every
// goroutine has ended and the data directory is free. Sessions are not closed. A
// closed Server cannot be served again. The error is that of the data directory.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	waits := make([]chan struct{}, 0, len(s.serves))
	for sv := range s.serves {
		sv.cancel()
		waits = append(waits, sv.done)
	}
	s.mu.Unlock()
	for _, done := range waits {
		<-done
	}
	if s.disk == nil {
		return nil
	}
	s.life.Lock()
	defer s.life.Unlock()
	if err := s.disk.store.Close(); err != nil {
		return fmt.Errorf("zkserver: close: %w", err)
	}
	return nil
}
