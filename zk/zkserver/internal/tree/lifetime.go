// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"math"

	"github.com/rollcall-rpc/rollcall/zk/jute"
)

// The owners that are not sessions, in the Owner of a ChangeCreate. Clients are
// shown 0 for them. Source: ZooKeeper's EphemeralType.
const (
	// OwnerContainer belongs to containers: they are removed when the last of
	// their children is gone.
	OwnerContainer int64 = math.MinInt64
	// MaxTTL is the longest time to live, in ms.
	MaxTTL int64 = 1<<40 - 1
	// ownerTTL is in front of a time to live.
	ownerTTL int64 = -1 << 56
)

// OwnerTTL returns the owner of a node that is removed when its data has not
// been set for so many ms and it has no children. ttlMillis is 1 to [MaxTTL].
func OwnerTTL(ttlMillis int64) int64 { return ownerTTL | ttlMillis }

// isSession reports whether an owner is a session, and its node ephemeral.
func isSession(owner int64) bool { return owner != 0 && !isMortal(owner) }

// isMortal reports whether nodes of the owner are removed by the server.
func isMortal(owner int64) bool { return owner == OwnerContainer || owner>>56 == ownerTTL>>56 }

// OpReap removes a container or a node with a time to live, if it has ended. It
// needs no session and no permission, and is never on the wire
// (ZooDefs.OpCode.deleteContainer).
const OpReap jute.OpCode = 20

// reap looks again, for between the finding of a node and its removal it may
// have been used, or another may have taken its place.
func (b *Batch) reap(r *Request) Outcome {
	n := b.get(r.Path)
	if n == nil || !n.ended(b.now, &b.Rules) {
		return Outcome{Op: r.Op, Err: jute.ErrNoNode}
	}
	b.removeOne(n)
	return Outcome{Op: r.Op}
}

// ended reports whether a node is to be removed.
func (n *Node) ended(nowMillis int64, rules *Rules) bool {
	idle := nowMillis - n.mtime
	switch {
	case !isMortal(n.owner) || n.children > 0:
		return false
	case n.owner != OwnerContainer:
		return idle > n.owner&^ownerTTL
	case n.created > 0:
		return true
	}
	return rules.NeverUsedMillis > 0 && idle > rules.NeverUsedMillis
}

// Ended calls f with the path of each container and node with a time to live
// that is to be removed, in byte order, until f returns false: see [OpReap].
func (t *Tree) Ended(nowMillis int64, rules Rules, f func(path string) bool) {
	t.mortals.all(func(path string) bool { return !t.Get(path).ended(nowMillis, &rules) || f(path) })
}
