// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"sync"
	"time"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/balancer"
)

// A sighting is what the client knew of a server from a moment on.
type sighting struct {
	at         time.Time
	state      balancer.State // 0: it is not known
	entry      string
	registered time.Time // when the registry noted the entry, on its clock
}

// picked reports whether calls go to the server.
func (s sighting) picked() bool { return s.state == balancer.StateUsable }

// listed reports whether the server's znode is there.
func (s sighting) listed() bool {
	return s.state != 0 && s.state != balancer.StateLingering && s.state != balancer.StateLeaving
}

// An observer notes when the client's view of each server changes.
type observer struct {
	client *rollcall.Client

	mu      sync.Mutex            // guards what follows
	seen    map[string][]sighting // by address, oldest first
	changed chan struct{}         // closed when seen changes
}

func newObserver(client *rollcall.Client) *observer {
	return &observer{client: client, seen: map[string][]sighting{}, changed: make(chan struct{})}
}

// run observes until ctx ends.
func (o *observer) run(ctx context.Context) {
	for {
		changed := o.client.Changed()
		o.note(time.Now(), o.client.Snapshot())
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

func (o *observer) note(now time.Time, snap *balancer.Snapshot) {
	present := map[string]sighting{}
	for _, e := range snap.Endpoints {
		in := &e.Endpoint.Instance
		present[in.Addr()] = sighting{at: now, state: e.State, entry: in.Name, registered: in.Registered}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for addr := range o.seen {
		if _, ok := present[addr]; !ok {
			present[addr] = sighting{at: now}
		}
	}
	news := false
	for addr, s := range present {
		if list := o.seen[addr]; len(list) == 0 || list[len(list)-1].state != s.state {
			o.seen[addr] = append(list, s)
			news = true
		}
	}
	if news {
		close(o.changed)
		o.changed = make(chan struct{})
	}
}

// await returns the first sighting of a server, made after a moment, that is
// wanted. It waits for it, up to the end of ctx.
func (o *observer) await(ctx context.Context, addr string, after time.Time, wanted func(sighting) bool) (sighting, error) {
	for {
		o.mu.Lock()
		list, changed := o.seen[addr], o.changed
		o.mu.Unlock()
		for _, s := range list {
			if !s.at.Before(after) && wanted(s) {
				return s, nil
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return sighting{}, context.Cause(ctx)
		}
	}
}
