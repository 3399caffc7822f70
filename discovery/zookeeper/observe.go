// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zookeeper

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/zk"
)

// observe looks at what is there: at our node alone where that tells enough,
// else at the directory, of which it reads what it has not read before.
func (r *registration) observe(ctx context.Context, session int64, wanted bool) (observation, error) {
	o := observation{wanted: wanted, cleared: r.cleared, had: r.owner != 0, expired: r.owner != session}
	known := false
	// One read of our own node answers most questions, however large the directory.
	if r.name != "" {
		own, found, err := r.look(ctx, r.name, session)
		if !wanted && errors.Is(err, zk.ErrNoAuth) { // it is ours, and need not be read to be deleted
			own = candidate{name: r.name, czxid: r.czxid, version: zk.AnyVersion, owner: session, mine: true}
			found, err = true, nil
		}
		if err != nil {
			return o, err
		}
		if known = found && own.mine; known {
			r.own(own) // a create of old servers does not tell the czxid: now it is known
			o.nodes = append(o.nodes, own)
		} else {
			r.lose(wanted)
		}
	}
	o.name, o.czxid = r.name, r.czxid
	// The directory is looked at where a node may be there that we do not know, or
	// that is to go; where it is time to look for twins beside ours; and where ours is
	// lost, for a younger twin means that it must not be created again.
	doubtful := r.isDoubtful() || len(r.former) > 0
	first := r.name == "" && r.czxid == 0
	switch {
	case doubtful, known && wanted && (r.scan || r.Status().Conflict != ""), !known && wanted && !first:
	default:
		// Our node tells enough, or there never was one: it is created first, and
		// then looked for twins.
		return o, nil
	}
	if r.isDoubtful() {
		// Another server of an ensemble may be behind the one that was asked to
		// create.
		if err := r.shared.registry.Sync(ctx, r.path); err != nil {
			return o, err
		}
	}
	var err error
	var wiped bool
	if o.nodes, wiped, err = r.scanAll(ctx, session); err != nil {
		return o, err
	}
	// Kept until there is a node again: when its creation has to be tried twice, the
	// directory is known by then.
	if wiped && !slices.ContainsFunc(o.nodes, func(c candidate) bool { return c.name == r.name }) {
		r.wiped = true
	}
	o.wiped = r.wiped
	// Only now: a look that failed has answered nothing.
	r.scan = false
	r.setDoubtful(false)
	for name := range r.former {
		if !slices.ContainsFunc(o.nodes, func(c candidate) bool { return c.name == name }) {
			r.disown(name)
		}
	}
	return o, nil
}

// lose notes that the node that was ours is not there, or not ours any more.
func (r *registration) lose(wanted bool) {
	r.disown(r.name)
	if !wanted {
		return // it is what was asked for
	}
	// Somebody who deletes it again and again is not to be answered with a storm of
	// creates.
	if time.Since(r.created) < soon {
		r.soonLost++
	} else {
		r.soonLost = 0
	}
	r.report(func(s *discovery.RegistrationStatus) { s.Name, s.Registered, s.Err = "", false, errGone })
}

// errGone is why an entry is not there that was.
var errGone = errors.New("zookeeper: the entry is gone, not created again yet")

// look reads one node as a candidate. found is false when it is not there or
// neither ours nor a twin. Only what the registry says of the node counts: any
// other answer is an error, and no word on whose it is.
func (r *registration) look(ctx context.Context, name string, session int64) (c candidate, found bool, err error) {
	data, stat, err := r.shared.registry.Get(ctx, join(r.path, name))
	switch {
	case err == nil:
	case errors.Is(err, zk.ErrNoNode):
		return c, false, nil
	case errors.Is(err, zk.ErrNoAuth) && (name != r.name || session != r.owner):
		data = nil // a node that we may not read is not ours
	default: // and so is ours, if its ACL forgets us: another one would be the same
		return c, false, err
	}
	c = candidate{name: name, czxid: stat.Czxid, version: stat.Version, owner: stat.EphemeralOwner}
	in, decodeErr := decode(name, data, stat, err)
	twin := decodeErr == nil && r.in.ID != "" && in.ID == r.in.ID
	same := bytes.Equal(data, r.data)
	c.mine = stat.EphemeralOwner == session && session != 0 && (same || twin || name == r.name || r.former[name]) &&
		!r.shared.claimedByOther(join(r.path, name), r)
	c.current = c.mine && same
	return c, c.mine || twin, nil
}

// scanAll lists the directory and reads the nodes that may be ours or twins.
// wiped tells whether a node that was ours was in another directory than what is
// there now, if anything is.
func (r *registration) scanAll(ctx context.Context, session int64) (nodes []candidate, wiped bool, err error) {
	names, stat, err := r.shared.registry.Children(ctx, r.path)
	if errors.Is(err, zk.ErrNoNode) {
		clear(r.other)
		return nil, true, nil
	}
	if err != nil {
		return nil, false, err
	}
	now := lifeOf(stat)
	// What is remembered by name is of one life: in another the names come again.
	if !now.continues(r.life) {
		clear(r.other)
		clear(r.cleared)
		wiped = r.life != life{}
	}
	r.life = now
	r.forgetAbsent(names)

	var (
		mu    sync.Mutex // guards what follows, and nodes
		other []string
	)
	var group errgroup.Group
	group.SetLimit(maxReads)
	for _, name := range names {
		if r.other[name] {
			continue
		}
		group.Go(func() error {
			c, found, err := r.look(ctx, name, session)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
			case found:
				nodes = append(nodes, c)
			case sequential(name):
				other = append(other, name)
			}
			return err
		})
	}
	err = group.Wait()
	// Also where one read failed: these need not be read again by the next attempt.
	for _, name := range other {
		r.other[name] = true
	}
	return nodes, wiped, err
}

// forgetAbsent keeps r.other no larger than the directory.
func (r *registration) forgetAbsent(names []string) {
	if len(r.other) == 0 {
		return
	}
	kept := make(map[string]bool, len(names))
	for _, name := range names {
		if r.other[name] {
			kept[name] = true
		}
	}
	r.other = kept
}
