// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package tree

import "github.com/rollcall-rpc/rollcall/zk/jute"

// A Request is a write that a client asks for, or the end or beginning of a
// session.
type Request struct {
	Op      jute.OpCode // a write, check, OpOpenSession or OpReap
	Session int64       // the session that asks; closeSession and OpOpenSession: the one meant
	Who     []Identity  // of the connection that asks
	Path    string
	Data    []byte // kept
	ACL     []jute.ACL
	Flags   int32     // create: the create mode
	TTL     int64     // createTTL: the time to live in ms
	Version int32     // what the node must have, or jute.AnyVersion; OpOpenSession: the timeout in ms
	Ops     []Request // multi: their Session and Who do not count
}

// Rules are what an operator decides about requests. The zero value is
// ZooKeeper's default.
type Rules struct {
	ExtendedTypes   bool  // nodes with a time to live may be created
	EnforceQuota    bool  // hard limits of quotas are kept
	DigestDisabled  bool  // there is no scheme digest
	ReconfigEnabled bool  // changing the members is refused as something that nobody can do
	NeverUsedMillis int64 // after how long a container that never had a child has ended; 0: never
}

// OpOpenSession begins a session. It is never on the wire
// (ZooDefs.OpCode.createSession).
const OpOpenSession jute.OpCode = -10

// An Outcome is what became of a request.
type Outcome struct {
	Op      jute.OpCode // OpError in the Results of a failed multi
	Err     jute.ErrCode
	Zxid    int64     // of its transaction; of the one before it if it failed
	Path    string    // create: the final path
	Stat    jute.Stat // create, setData, setACL: after it
	Results []Outcome // multi; Err of the multi itself stays 0
	Events  []Event   // in the order of their happening
}

// A Batch is the next version of a tree in the making. After [Batch.Commit] it
// must not be used any more, unless [Batch.Reset] begins it anew.
type Batch struct {
	// Rules may be set before the first request.
	Rules Rules

	base *Tree
	state
	gen  uint64
	zxid int64

	// Of the request at work.
	now     int64
	session int64
	who     []Identity

	events   []Event
	changes  []Change
	txns     []Txn
	overruns []Overrun
	last     *Tree // the newest snapshot
}

// Begin starts the next version of t.
func (t *Tree) Begin() *Batch {
	b := new(Batch)
	b.Reset(t)
	return b
}

// Reset starts the next version of t in the memory of a batch that is over. Of
// what that has given away, only trees may be used any more.
func (b *Batch) Reset(t *Tree) {
	*b = Batch{
		base: t, state: t.state, zxid: t.zxid, gen: t.gen + 1,
		events: emptied(b.events), changes: emptied(b.changes), txns: emptied(b.txns),
	}
}

// keepEntries is how long a slice of a batch may be to be used again.
const keepEntries = 1 << 14

func emptied[E any](s []E) []E {
	if cap(s) > keepEntries {
		return nil
	}
	return shorten(s, 0)
}

// Zxid returns the zxid of the last transaction, that of the tree included.
func (b *Batch) Zxid() int64 { return b.zxid }

// Txns returns the transactions so far. The slice belongs to the batch.
func (b *Batch) Txns() []Txn { return b.txns }

// Commit returns the new version: the tree that the batch began with if nothing
// changed.
func (b *Batch) Commit() *Tree {
	switch {
	case b.zxid == b.base.zxid:
		return b.base
	case b.last != nil && b.zxid == b.last.zxid:
		return b.last
	}
	return &Tree{state: b.state, zxid: b.zxid, gen: b.gen}
}

// Snapshot returns the version as it is now; the batch can go on.
func (b *Batch) Snapshot() *Tree {
	t := b.Commit()
	if t != b.base && t != b.last {
		b.last = t
		b.step()
	}
	return t
}

// step makes the nodes so far unchangeable: from here on, changed ones are
// copied.
func (b *Batch) step() { b.gen++ }

// Do carries out a request at the given zxid, which must be greater than
// [Batch.Zxid], and time in ms since 1970. A request that fails changes nothing
// and uses no zxid.
func (b *Batch) Do(r *Request, zxid, nowMillis int64) Outcome {
	b.now, b.session, b.who = nowMillis, r.Session, r.Who
	events, changes, before := len(b.events), len(b.changes), b.zxid
	b.zxid = zxid
	var out Outcome
	if r.Op == jute.OpMulti {
		out = b.multi(r)
	} else {
		out = b.one(r)
	}
	if len(b.changes) == changes { // failed, or a multi of nothing but checks
		b.zxid = before
	} else {
		n := len(b.changes)
		b.txns = append(b.txns, Txn{Zxid: zxid, Time: nowMillis, Session: r.Session, Changes: b.changes[changes:n:n]})
		out.Events = b.events[events:len(b.events):len(b.events)]
	}
	out.Zxid = b.zxid
	return out
}

// one carries out anything but a multi.
func (b *Batch) one(r *Request) Outcome {
	switch r.Op {
	case OpOpenSession:
		return b.openSession(r)
	case jute.OpCloseSession:
		return b.closeSession(r)
	case OpReap:
		return b.reap(r)
	case jute.OpCreate, jute.OpCreate2, jute.OpCreateContainer, jute.OpCreateTTL:
		return b.create(r)
	case jute.OpDelete:
		return b.delete(r)
	case jute.OpSetData:
		return b.setData(r)
	case jute.OpSetACL:
		return b.setACL(r)
	case jute.OpCheck:
		return b.checkVersion(r)
	case jute.OpReconfig: // the members of one server cannot be changed
		if b.Rules.ReconfigEnabled {
			return Outcome{Op: r.Op, Err: jute.ErrUnimplemented}
		}
		return Outcome{Op: r.Op, Err: jute.ErrReconfigDisabled}
	}
	return Outcome{Op: r.Op, Err: jute.ErrUnimplemented}
}

func (b *Batch) record(c Change) *Change {
	b.changes = append(b.changes, c)
	return &b.changes[len(b.changes)-1]
}

func (b *Batch) event(t jute.EventType, n *Node) {
	b.events = append(b.events, Event{Type: t, Path: n.Path, ACL: n.ACL})
}
