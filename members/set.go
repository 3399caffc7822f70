// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package members

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-rpc/rollcall/balancer"
	"github.com/rollcall-rpc/rollcall/discovery"
)

// Options say what a [Set] stands on.
type Options struct {
	// Resolver knows the instances. It is needed.
	Resolver discovery.Resolver

	// Balancing are the settings of the Roster: policy, slow start, ejection.
	Balancing balancer.Options

	// Supported tells whether the program can call an instance. Nil: all.
	Supported func(*discovery.Instance) bool

	// Attach makes the Peer of an instance that becomes known. It is called with
	// the Set's lock held and must not call the Set. Nil: Endpoints have no
	// Peer, nobody is probed, and whoever is set aside stays so until
	// [Set.Recovered].
	Attach func(*balancer.Endpoint) Peer

	// OnUpdate is told of each list before it counts, on the goroutine that
	// watches the Resolver. Nil: nobody is told.
	OnUpdate func(*discovery.Update)

	// OnChange is told that the snapshot changed from one to another, serially
	// and in order, on the goroutine of [Set.Run]. Changes in quick succession
	// are told as one. It must not block: pauses do not end and nobody is probed
	// meanwhile. Nil: nobody is told.
	OnChange func(from, to *balancer.Snapshot)
}

// A Set is the instances of one service as this program knows them.
type Set struct {
	opts    Options
	current atomic.Pointer[current] // what calls pick from: no lock on their way
	kick    chan struct{}           // capacity 1: the clock should look at the roster
	probes  sync.WaitGroup          // a goroutine for each probe

	telling atomic.Int64 // how many are about to change the roster

	mu        sync.Mutex // guards what follows; nothing that blocks is called under it
	roster    *balancer.Roster
	changes   uint64    // how many there were
	published uint64    // how many of them current has
	publishes sync.Cond // on mu: published is another one
	retired   []Peer    // dropped by the roster, to be told outside the lock
}

// What is current is replaced as a whole.
type current struct {
	snapshot *balancer.Snapshot
	changed  chan struct{} // closed when another one is current
}

// New returns a Set that knows nobody yet and does nothing: see [Set.Run].
func New(opts Options) *Set {
	s := &Set{opts: opts, kick: make(chan struct{}, 1)}
	s.publishes.L = &s.mu
	hooks := balancer.Hooks{Supported: opts.Supported}
	if opts.Attach != nil {
		hooks.Attach = func(e *balancer.Endpoint) any { return opts.Attach(e) }
		hooks.Detach = func(e *balancer.Endpoint) { s.retired = append(s.retired, peerOf(e)) }
	}
	s.roster = balancer.NewRoster(opts.Balancing, hooks)
	s.current.Store(&current{s.roster.Snapshot(), make(chan struct{})})
	return s
}

func peerOf(e *balancer.Endpoint) Peer { return e.Owner.(Peer) }

// Run watches the list, lets pauses end and probes who was set aside, until ctx
// ends. It then retires every Peer and returns when no goroutine of the Set is
// left. It can be called once.
func (s *Set) Run(ctx context.Context) {
	told := s.Snapshot() // before the first list, which may come before the clock looks
	var watch sync.WaitGroup
	watch.Go(func() {
		s.opts.Resolver.Watch(ctx, func(u discovery.Update) { //nolint:errcheck // it ends with ctx
			if s.opts.OnUpdate != nil {
				s.opts.OnUpdate(&u)
			}
			s.tell(func(now time.Time) { s.roster.Update(now, u) })
		})
	})
	s.keep(ctx, told)
	watch.Wait()
	if s.opts.Attach != nil {
		for _, e := range s.Snapshot().Endpoints {
			peerOf(e.Endpoint).Retire()
		}
	}
	s.probes.Wait()
}

// keep is the clock of the Set. told is what nobody need be told of.
func (s *Set) keep(ctx context.Context, told *balancer.Snapshot) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		if wait, ok := s.tick(ctx); ok {
			timer.Reset(wait)
		} else {
			timer.Stop()
		}
		if now := s.Snapshot(); now != told && s.opts.OnChange != nil {
			s.opts.OnChange(told, now)
			told = now
		}
		select {
		case <-timer.C:
		case <-s.kick:
		case <-ctx.Done():
			return
		}
	}
}

// tick does what is due and returns how long nothing more is.
func (s *Set) tick(ctx context.Context) (wait time.Duration, ok bool) {
	var due []*balancer.Endpoint
	s.apply(func(now time.Time) {
		s.roster.Tick(now)
		due = s.roster.Probes(now)
		var next time.Time
		next, ok = s.roster.Next(now)
		wait = max(next.Sub(now), 0)
	})
	if s.opts.Attach == nil {
		return wait, ok // whoever has no Peer is back when that is told
	}
	for _, e := range due {
		s.probes.Go(func() { s.probe(ctx, e) })
	}
	return wait, ok
}

// probe tries whether an instance that was set aside is back.
func (s *Set) probe(ctx context.Context, e *balancer.Endpoint) {
	err := peerOf(e).Probe(ctx, e)
	switch {
	case ctx.Err() != nil: // it tells of us, and not of the instance
	case err == nil:
		s.tell(func(now time.Time) { s.roster.Probed(now, e) })
	case errors.Is(err, ErrUnprobed):
		s.tell(func(now time.Time) { s.roster.Unprobed(now, e) })
	default:
		s.Failed(e, true)
	}
}

// tell changes the roster and wakes the clock, whose next appointment may be
// another one now.
func (s *Set) tell(change func(now time.Time)) {
	s.apply(change)
	s.Review()
}

// maxTogether bounds how many changes one snapshot waits for.
const maxTogether = 1000

// apply changes the roster, and returns when what came of it is published. Of many
// changes at once, as when a rack fails, the last one publishes them all: with thousands
// of instances it is the snapshot that takes its time.
func (s *Set) apply(change func(now time.Time)) {
	s.telling.Add(1)
	s.mu.Lock()
	change(time.Now())
	s.changes++
	own := s.changes
	if s.telling.Add(-1) > 0 && own-s.published < maxTogether {
		for s.published < own {
			s.publishes.Wait()
		}
	}
	var retired []Peer
	if s.published < own {
		retired = s.publish()
	}
	s.mu.Unlock()
	for _, p := range retired {
		p.Retire()
	}
}

// publish makes what the roster knows current, and returns who was dropped. mu is held.
func (s *Set) publish() (retired []Peer) {
	if was, next := s.current.Load(), s.roster.Snapshot(); next != was.snapshot {
		s.current.Store(&current{next, make(chan struct{})})
		close(was.changed)
	}
	s.published = s.changes
	s.publishes.Broadcast()
	retired, s.retired = s.retired, nil
	return retired
}

// Snapshot returns what is known now. It takes no lock.
func (s *Set) Snapshot() *balancer.Snapshot { return s.current.Load().snapshot }

// Current returns what is known now, and a channel that is closed when that
// changes. It takes no lock.
func (s *Set) Current() (*balancer.Snapshot, <-chan struct{}) {
	now := s.current.Load()
	return now.snapshot, now.changed
}
