// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zookeeper

import (
	"errors"
	"time"

	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/discovery/layout"
	"github.com/rollcall-rpc/rollcall/zk"
)

// takeRead carries over what a read has brought.
func (l *lister) takeRead(r readResult) {
	if unanswered(r.err) {
		l.reads.retry(r.name)
		l.readAt = time.Now().Add(l.backoff.next())
		return
	}
	if !l.reads.done(r.name) {
		return // it was deleted meanwhile, or changed and is read again
	}
	if errors.Is(r.err, zk.ErrNoNode) {
		l.refusals.settled(r.name)
		l.view.remove(r.name) // gone between the list and the read
		return
	}
	l.backoff.reset()
	l.refusals.answered(r.name, r.err, time.Now(), l.opts.Rand)
	in, err := decode(r.name, r.data, r.stat, r.err)
	if l.view.set(in, err) && err != nil {
		l.logger.Warn("entry is not an instance", "instance", r.name, "error", err)
	}
}

// decode returns the instance that a node holds.
func decode(name string, data []byte, stat zk.Stat, err error) (discovery.Instance, error) {
	if err != nil {
		return discovery.Instance{Name: name}, err
	}
	in, err := layout.Decode(name, data)
	in.Revision, in.Owner = stat.Czxid, stat.EphemeralOwner
	in.Registered = time.UnixMilli(stat.Ctime)
	return in, err
}

// takeList carries over a list of the children.
func (l *lister) takeList(r listResult, now time.Time) {
	l.listing = false
	if r.err != nil {
		l.relist = true
		// That nobody answers shows in the session, which tells it better. What the
		// registry has against the list is told here: it may be so for good.
		if !unanswered(r.err) {
			l.listErr = r.err
		}
		l.listAt = now.Add(l.backoff.next())
		return
	}
	l.backoff.reset()
	l.listErr = nil
	// Where the last list found no directory, what was told since is of one whose
	// life is not known: it is no proof of what the names stand for now.
	another := r.found && (!l.lived || !lifeOf(r.stat).continues(l.life))
	if another && l.lived {
		l.logger.Info("directory begins another life: reading everything again")
	}
	l.life, l.lived = lifeOf(r.stat), r.found

	present := make(map[string]struct{}, len(r.names))
	for _, name := range r.names {
		if !l.foreign(name) {
			present[name] = struct{}{}
		}
	}
	l.dropAbsent(present)
	for name := range present {
		switch {
		// While nobody watched, a node whose name anybody may choose can have been
		// deleted and created with other data. The name of a sequential one comes
		// once in a life: what was read of it still holds. The reads are awaited, so
		// that nobody is given half a list, or one of another life.
		case l.view.entries[name] == nil, another, l.rearmed && !sequential(name):
			l.reads.want(name, true)
		// The net below the watch: the list is right as far as anybody knows, and
		// goes out without waiting for these.
		case l.sweep:
			l.reads.wantSlow(name)
		}
	}
	// Both were orders to this list; the next one has its own.
	l.sweep, l.rearmed = false, false
	l.touched = nil
	// A list that was asked for before the connection was lost is no word on what
	// has happened since: its names are of use, but it makes nothing live. The watch
	// orders another one when it is armed again.
	if r.epoch == l.epoch && l.connected() {
		l.listed, l.listReady = true, true
	}
}

// dropAbsent forgets what a list does not hold, except for what the watch has
// told meanwhile: that is newer than the list.
func (l *lister) dropAbsent(present map[string]struct{}) {
	for name := range l.view.entries {
		if !has(present, name) && !has(l.touched, name) {
			l.forget(name)
		}
	}
	for name := range l.reads.byName {
		if !has(present, name) && !has(l.touched, name) {
			l.forget(name)
		}
	}
}

func has(set map[string]struct{}, name string) bool {
	_, ok := set[name]
	return ok
}

// sequential reports whether the registry gives the name once in a life of the
// directory, so that it stands for its content.
func sequential(name string) bool {
	_, ok := layout.Sequence(name)
	return ok
}
