// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package tree

import "github.com/rollcall-rpc/rollcall/zk/jute"

func (b *Batch) delete(r *Request) Outcome {
	out := Outcome{Op: r.Op}
	if out.Err = b.checkAsker(r.Path); out.Err != 0 {
		return out
	}
	if builtIn(r.Path) {
		out.Err = jute.ErrBadArguments
		return out
	}
	parent, n := b.get(parentOf(r.Path)), b.get(r.Path)
	switch {
	case parent == nil:
		out.Err = jute.ErrNoNode
	case !Allowed(parent.ACL, jute.PermDelete, b.who):
		out.Err = jute.ErrNoAuth
	case n == nil:
		out.Err = jute.ErrNoNode
	case r.Version != jute.AnyVersion && r.Version != n.version:
		out.Err = jute.ErrBadVersion
	case n.children > 0:
		out.Err = jute.ErrNotEmpty
	default:
		b.removeOne(n)
	}
	return out
}

// removeOne removes a node that has no children.
func (b *Batch) removeOne(n *Node) {
	b.apply(b.record(Change{Kind: ChangeDelete, Path: n.Path}))
	b.charge(n.Path, -1, -int64(len(n.Data)))
}
