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
		b.sessionTxn().Insert(appendSessionKey(nil, c.Owner), c.Counter)
	case ChangeCloseSession:
		for _, path := range c.Paths {
			b.remove(path)
		}
		var space [8]byte
		b.sessionTxn().Delete(appendSessionKey(space[:0], c.Owner))
	}
	return nil
}

func (b *Batch) applyCreate(c *Change) *Node {
	n := &Node{
		Path: c.Path, Data: c.Data, ACL: c.ACL, gen: b.gen,
		czxid: b.zxid, mzxid: b.zxid, pzxid: b.zxid, ctime: b.now, mtime: b.now,
		owner: c.Owner,
	}
	n.key, _ = appendKey(make([]byte, 0, len(c.Path)+2), c.Path)
	b.nodes.Insert(n.key, n)
	b.bytes += n.size()
	switch {
	case isSession(c.Owner):
		b.ephemerals.insert(appendEphemeralKey(nil, c.Owner, c.Path))
	case c.Owner != 0:
		b.mortals.insert([]byte(c.Path))
	}
	if quota, ok := quotaOf(c.Path, limitsName); ok {
		b.quotas.insert([]byte(quota + "/"))
	}
	parent := b.writable(b.get(parentOf(c.Path)))
	parent.children++
	parent.created = max(parent.created, c.Counter)
	parent.pzxid = b.zxid
	b.event(jute.EventNodeCreated, n)
	b.event(jute.EventNodeChildrenChanged, parent)
	return n
}

func (b *Batch) remove(path string) {
	n := b.get(path)
	b.nodes.Delete(n.key)
	b.bytes -= n.size()
	switch {
	case isSession(n.owner):
		b.scratch = appendEphemeralKey(b.scratch[:0], n.owner, path)
		b.ephemerals.remove(b.scratch)
	case n.owner != 0:
		b.mortals.remove([]byte(path))
	}
	if quota, ok := quotaOf(path, limitsName); ok {
		b.quotas.remove([]byte(quota + "/"))
	}
	parent := b.writable(b.get(parentOf(path)))
	parent.children--
	parent.pzxid = b.zxid
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
	b.nodes.Insert(c.key, &c)
	return &c
}
