// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package tree

import "github.com/rollcall-rpc/rollcall/zk/jute"

// apply carries out a change that is known to fit, and notes its events. It
// returns the node that was made or changed, if there is one.
func (b *Batch) apply(c *Change) *Node {
	switch c.Kind {
	case ChangeCreate:
		return b.applyCreate(c)
	case ChangeDelete:
		b.remove(c.Path)
	case ChangeSetData:
		n := b.writable(b.get(c.Path))
		b.bytes += int64(len(c.Data) - len(n.Data))
		n.Data, n.version, n.mzxid, n.mtime = c.Data, c.Counter, b.zxid, b.now
		b.event(jute.EventNodeDataChanged, n)
		return n
	case ChangeSetACL:
		n := b.writable(b.get(c.Path))
		n.ACL, n.aversion = c.ACL, c.Counter
		return n
	case ChangeUsage:
		n := b.writable(b.get(c.Path))
		b.bytes += int64(len(c.Data) - len(n.Data))
		n.Data = c.Data
		return n
	case ChangeOpenSession:
		b.sessions.put(b.gen, lease{c.Owner, c.Counter}, ofSession(c.Owner))
	case ChangeCloseSession:
		for _, path := range c.Paths {
			b.remove(path)
		}
		if b.hasSession(c.Owner) {
			b.sessions.remove(b.gen, ofSession(c.Owner))
		}
	}
	return nil
}

func (b *Batch) applyCreate(c *Change) *Node {
	at, _ := placeOf(c.Path)
	n := newNode(at)
	n.Data, n.ACL, n.gen, n.owner = c.Data, c.ACL, b.gen, c.Owner
	n.czxid, n.mzxid, n.pzxid, n.ctime, n.mtime = b.zxid, b.zxid, b.zxid, b.now, b.now
	b.nodes.put(b.gen, n, at.compare)
	b.bytes += n.size()
	switch {
	case isSession(c.Owner):
		e := ephemeral{c.Owner, c.Path}
		b.ephemerals.put(b.gen, e, e.compare)
	case c.Owner != 0:
		b.mortals.put(b.gen, c.Path, atPath(c.Path))
	}
	if quota, ok := quotaOf(c.Path, limitsName); ok {
		b.quotas.put(b.gen, quota, atPath(quota))
	}
	parent := b.writable(b.get(parentOf(c.Path)))
	parent.children++
	parent.created = max(parent.created, c.Counter)
	parent.pzxid = b.zxid
	b.renewList(parent)
	b.event(jute.EventNodeCreated, n)
	b.event(jute.EventNodeChildrenChanged, parent)
	return n
}

func (b *Batch) remove(path string) {
	n := b.get(path)
	b.nodes.remove(b.gen, n.place().compare)
	b.bytes -= n.size()
	switch {
	case isSession(n.owner):
		b.ephemerals.remove(b.gen, ephemeral{n.owner, path}.compare)
	case n.owner != 0:
		b.mortals.remove(b.gen, atPath(path))
	}
	if quota, ok := quotaOf(path, limitsName); ok {
		b.quotas.remove(b.gen, atPath(quota))
	}
	parent := b.writable(b.get(parentOf(path)))
	parent.children--
	parent.pzxid = b.zxid
	b.renewList(parent)
	b.event(jute.EventNodeDeleted, n)
	b.event(jute.EventNodeChildrenChanged, parent)
}

// writable returns the node to change: n itself if this step of the batch made
// it, for then nobody else has seen it, else a copy that takes its place.
func (b *Batch) writable(n *Node) *Node {
	if n.gen == b.gen {
		return n
	}
	c := *n
	c.gen = b.gen
	b.nodes.put(b.gen, &c, c.place().compare)
	return &c
}
