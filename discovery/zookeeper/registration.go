// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zookeeper

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/zk"
)

// A registration keeps one instance registered. Its goroutine, run, takes one
// step after the other towards what is wanted; see [decide].
type registration struct {
	shared *shared
	path   string
	in     discovery.Instance
	data   []byte
	acl    []zk.ACL
	logger *slog.Logger
	kick   chan struct{} // holds one token while there is a reason to look
	done   chan struct{} // closed when run has returned

	mu        sync.Mutex // guards what follows
	wanted    bool
	status    discovery.RegistrationStatus
	changed   chan struct{}      // closed at the next change of status or wanted
	interrupt context.CancelFunc // ends the step under way; set while one is
	doubtful  bool               // a create may have been carried out that we know no node of

	progress // owned by run
}

// progress is what run knows.
type progress struct {
	name    string          // the node that is ours, claimed; empty: none
	last    string          // the last one that was
	owner   int64           // the session that it was ours in; 0: there never was one
	former  map[string]bool // nodes that were, claimed, and are to be deleted
	czxid   int64           // of the last node that was ours
	cleared map[string]bool // elder twins that were dealt with
	other   map[string]bool // nodes of this life that are neither ours nor twins
	life    life
	resting bool // things were as they should be at the last round
	scan    bool // the whole directory is to be looked at, not our node alone
	backoff backoff
	created time.Time      // when the present node was created
	loss    discovery.Loss // why there is no node though there was, not told yet; 0: nothing to tell
	lost    bool           // there is no node though there was, and why was told
	wiped   bool           // since then the directory was seen to be another one
	// soonLost counts the nodes that were lost soon after their creation, in a row.
	soonLost int
}

func newRegistration(s *Session, path string, in discovery.Instance, data []byte) *registration {
	r := &registration{
		shared: s.shared, path: path, in: in, data: data, acl: s.opts.ACL,
		logger: s.opts.Logger.With("path", path, "address", in.Addr(), "instance", in.ID),
		kick:   make(chan struct{}, 1), done: make(chan struct{}),
		wanted: true, changed: make(chan struct{}),
	}
	r.status = discovery.RegistrationStatus{Since: time.Now(), Err: errPending}
	r.former, r.cleared, r.other = map[string]bool{}, map[string]bool{}, map[string]bool{}
	r.backoff.rand = s.shared.opts.Rand
	return r
}

// errPending is why an entry is not there at first.
var errPending = errors.New("zookeeper: not created yet")

// Ready implements [discovery.Registration].
func (r *registration) Ready(ctx context.Context) (string, error) {
	for {
		r.mu.Lock()
		status, wanted, changed := r.status, r.wanted, r.changed
		r.mu.Unlock()
		switch {
		case !wanted:
			return "", discovery.ErrDeregistered
		case status.Registered:
			return status.Name, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return "", errors.Join(ctx.Err(), status.Err)
		}
	}
}

// Status implements [discovery.Registration].
func (r *registration) Status() discovery.RegistrationStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status
}

// Changed implements [discovery.Registration].
func (r *registration) Changed() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.changed
}

// Deregister implements [discovery.Registration].
func (r *registration) Deregister(ctx context.Context) error {
	r.giveUp()
	select {
	case <-r.done:
		return nil
	default:
	}
	select {
	case <-r.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// giveUp makes the instance unwanted. It does not wait.
func (r *registration) giveUp() {
	r.mu.Lock()
	if r.wanted {
		r.wanted = false
		r.announce()
		if r.interrupt != nil {
			r.interrupt()
		}
	}
	r.mu.Unlock()
	r.poke()
}

// poke makes run look.
func (r *registration) poke() {
	select {
	case r.kick <- struct{}{}:
	default:
	}
}

// announce tells those who wait that something changed. r.mu is held.
func (r *registration) announce() {
	close(r.changed)
	r.changed = make(chan struct{})
}

// notify implements [listener]: it looks when something concerns our node, or
// could be it.
func (r *registration) notify(n notice) {
	r.mu.Lock()
	name, conflict, doubtful := r.status.Name, r.status.Conflict, r.doubtful
	r.mu.Unlock()
	switch {
	case n.kind == armed, n.name == name, n.name == conflict, doubtful && n.kind == written:
		r.poke()
	}
}

// report changes the status.
func (r *registration) report(change func(*discovery.RegistrationStatus)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.status
	change(&r.status)
	if r.status.Registered != before.Registered {
		r.status.Since = time.Now()
	}
	r.announce()
}

// isDoubtful reports whether a node may be there that we do not know.
func (r *registration) isDoubtful() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.doubtful
}

func (r *registration) setDoubtful(doubtful bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.doubtful = doubtful
}
