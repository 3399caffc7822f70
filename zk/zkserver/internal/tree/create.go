// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"strconv"

	"github.com/rollcall-rpc/rollcall/zk/jute"
)

// create makes a node. The operation decides whether it becomes a container,
// whatever the flags say.
func (b *Batch) create(r *Request) Outcome {
	parent, path, acl, err := b.place(r)
	if err != 0 {
		return Outcome{Op: r.Op, Err: err}
	}
	n := b.apply(b.record(Change{
		Kind: ChangeCreate, Path: path, Data: r.Data, ACL: acl, Owner: b.ownerOf(r), Counter: parent.nextCreated(),
	}))
	out := Outcome{Op: r.Op, Path: path, Stat: n.Stat()}
	b.charge(path, 1, int64(len(r.Data)))
	b.recount(path)
	return out
}

// ownerOf returns the owner of the node that a request creates.
func (b *Batch) ownerOf(r *Request) int64 {
	switch {
	case r.Op == jute.OpCreateContainer:
		return OwnerContainer
	case r.Op == jute.OpCreateTTL:
		return OwnerTTL(r.TTL)
	case r.Flags == jute.FlagEphemeral || r.Flags == jute.FlagEphemeralSequential:
		return b.session
	}
	return 0
}

// place finds out where and how a node is to be created. It validates in
// ZooKeeper's order: what is reported when several things are wrong is part of
// the protocol.
func (b *Batch) place(r *Request) (parent *Node, path string, acl []jute.ACL, err jute.ErrCode) {
	if err = b.checkMode(r); err != 0 {
		return nil, "", nil, err
	}
	if err = b.checkAsker(r.Path); err != 0 {
		return nil, "", nil, err
	}
	if acl = b.expandACL(r.ACL); acl == nil {
		return nil, "", nil, jute.ErrInvalidACL
	}
	parent = b.get(parentOf(r.Path))
	switch {
	case parent == nil:
		return nil, "", nil, jute.ErrNoNode
	case !Allowed(parent.ACL, jute.PermCreate, b.who):
		return nil, "", nil, jute.ErrNoAuth
	}
	path = r.Path
	switch r.Flags {
	case jute.FlagPersistentSequential, jute.FlagEphemeralSequential, jute.FlagTTLSequential:
		path = sequential(path, parent.created)
	}
	switch {
	case !ValidPath(path):
		err = jute.ErrBadArguments
	case b.get(path) != nil:
		err = jute.ErrNodeExists
	case isSession(parent.owner):
		err = jute.ErrNoChildrenForEphemerals
	default:
		err = b.overQuota(path, 1, int64(len(r.Data)))
	}
	return parent, path, acl, err
}

// checkMode judges the flags and the time to live. In ZooKeeper, createTTL with
// other flags than its own and no time to live gets through, and brings the
// server down for good; here the flags must be its own.
func (b *Batch) checkMode(r *Request) jute.ErrCode {
	isTTL := r.Flags == jute.FlagTTL || r.Flags == jute.FlagTTLSequential
	switch {
	case r.Flags < 0 || r.Flags > jute.FlagTTLSequential:
		return jute.ErrBadArguments
	case isTTL && !b.Rules.ExtendedTypes:
		return jute.ErrUnimplemented
	case isTTL != (r.Op == jute.OpCreateTTL), isTTL && (r.TTL < 1 || r.TTL > MaxTTL):
		return jute.ErrBadArguments
	}
	return jute.ErrOk
}

// checkAsker is the beginning of create and delete: a live session and a path
// that can be taken apart.
func (b *Batch) checkAsker(path string) jute.ErrCode {
	switch {
	case !b.hasSession(b.session):
		return jute.ErrSessionExpired
	case !plausiblePath(path):
		return jute.ErrBadArguments
	}
	return jute.ErrOk
}

// sequential appends the counter in at least ten digits.
func sequential(path string, counter int32) string {
	var digits [20]byte
	num := strconv.AppendInt(digits[:0], int64(counter), 10)
	b := make([]byte, 0, len(path)+10)
	b = append(b, path...)
	for range 10 - len(num) {
		b = append(b, '0')
	}
	return string(append(b, num...))
}
