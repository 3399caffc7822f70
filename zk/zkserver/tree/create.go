// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"strconv"

	"github.com/rollcall-rpc/rollcall/zk/jute"
)

// The create modes that need an operation of their own (CreateMode).
const (
	flagContainer     int32 = 4 // by a plain create: an ordinary node
	flagTTL           int32 = 5
	flagTTLSequential int32 = 6
)

func (b *Batch) create(r *Request) Outcome {
	parent, path, acl, err := b.place(r)
	if err != 0 {
		return Outcome{Op: r.Op, Err: err}
	}
	var owner int64
	if r.Flags == jute.FlagEphemeral || r.Flags == jute.FlagEphemeralSequential {
		owner = b.session
	}
	n := b.apply(b.record(Change{
		Kind: ChangeCreate, Path: path, Data: r.Data, ACL: acl, Owner: owner, Counter: parent.nextCreated(),
	}))
	return Outcome{Op: r.Op, Path: path, Stat: n.Stat()}
}

// place finds out where and how a node is to be created. It validates in
// ZooKeeper's order: what is reported when several things are wrong is part of
// the protocol.
func (b *Batch) place(r *Request) (parent *Node, path string, acl []jute.ACL, err jute.ErrCode) {
	if err = checkFlags(r.Flags); err != 0 {
		return nil, "", nil, err
	}
	if err = b.checkAsker(r.Path); err != 0 {
		return nil, "", nil, err
	}
	if acl = expandACL(r.ACL, b.who); acl == nil {
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
	if r.Flags == jute.FlagPersistentSequential || r.Flags == jute.FlagEphemeralSequential {
		path = sequential(path, parent.created)
	}
	switch {
	case !ValidPath(path):
		err = jute.ErrBadArguments
	case b.get(path) != nil:
		err = jute.ErrNodeExists
	case parent.ephemeralOwner != 0:
		err = jute.ErrNoChildrenForEphemerals
	}
	return parent, path, acl, err
}

func checkFlags(flags int32) jute.ErrCode {
	switch flags {
	case flagTTL, flagTTLSequential:
		return jute.ErrUnimplemented
	}
	if flags < 0 || flags > flagTTLSequential {
		return jute.ErrBadArguments
	}
	return jute.ErrOk
}

// checkAsker is the beginning of create and delete: a live session and a path
// that can be taken apart.
func (b *Batch) checkAsker(path string) jute.ErrCode {
	switch {
	case !b.hasSession():
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
