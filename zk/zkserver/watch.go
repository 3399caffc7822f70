// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zkserver/internal/tree"
)

// A watchMode says how a watch fires. One path can have several modes for one
// connection: they stand side by side, and an event is told once.
type watchMode uint8

const (
	oneShot    watchMode = 1 << iota // once
	persistent                       // until it is removed
	recursive                        // until it is removed, and for all nodes below
)

// A watch is one connection's interest in one path.
type watch struct {
	conn  *conn
	path  string
	mode  watchMode
	index int // in its list
}

// A watchIndex finds the watches of all connections by path.
type watchIndex map[string][]*watch

// A watchTable holds the watches: those on nodes themselves ("data") and those
// on lists of children ("child"). Watches belong to connections, and so does
// the other half of each index, conn.data and conn.child.
//
// Firing needs pub in full. Everything else needs pub shared and mu; a
// connection's own maps are touched by its reader, with pub shared, and by the
// owner, with pub in full.
type watchTable struct {
	mu         sync.Mutex // guards what follows among holders of pub shared
	data       watchIndex
	child      watchIndex
	recursives int          // watches with the recursive mode
	max, bytes int64        // that watches may take, and take
	holders    int          // connections that have watches
	count      atomic.Int64 // watches; read by anybody
	round      uint64
	frame      []byte
}

func (t *watchTable) init(maxBytes int64) {
	t.data, t.child, t.max = watchIndex{}, watchIndex{}, maxBytes
}

// watchCost is what a watch takes beside its path.
const watchCost = 256

func (w *watch) cost() int64 { return watchCost + int64(len(w.path)) }

// add counts a watch of a connection, with its sign, and reports whether the
// connection may have it. Called with mu held.
func (t *watchTable) add(c *conn, bytes int64) bool {
	before := c.watchBytes
	c.watchBytes += bytes
	t.bytes += bytes
	switch {
	case before == 0:
		t.holders++
	case c.watchBytes == 0:
		t.holders--
	}
	return t.bytes <= t.max || c.watchBytes <= t.max/int64(max(t.holders, 1))
}

// set adds a mode to a connection's watch on a path, in the global index and in
// the connection's own. Called with outbox.mu held: it closes the connection if
// that has too many.
func (t *watchTable) set(index watchIndex, own map[string]*watch, c *conn, path string, mode watchMode) {
	t.mu.Lock()
	defer t.mu.Unlock()
	w := own[path]
	if w == nil {
		list := index[path]
		w = &watch{conn: c, path: path, index: len(list)}
		index[path] = append(list, w)
		own[path] = w
		t.count.Add(1)
		if !t.add(c, w.cost()) {
			c.greedy = true
			c.out.die()
		}
	}
	if mode&^w.mode&recursive != 0 {
		t.recursives++
	}
	w.mode |= mode
}

// unset takes modes away from a watch and reports whether it had one of them. A
// watch without modes is gone.
func (t *watchTable) unset(index watchIndex, own map[string]*watch, w *watch, mode watchMode) bool {
	if w == nil || w.mode&mode == 0 {
		return false
	}
	if w.mode&mode&recursive != 0 {
		t.recursives--
	}
	w.mode &^= mode
	if w.mode != 0 {
		return true
	}
	delete(own, w.path)
	t.count.Add(-1)
	t.add(w.conn, -w.cost())
	// The last one takes its place: the order means nothing, and a path may have
	// thousands.
	list := index[w.path]
	last := len(list) - 1
	if last == 0 {
		delete(index, w.path)
		return true
	}
	list[w.index] = list[last]
	list[w.index].index = w.index
	list[last] = nil
	index[w.path] = list[:last]
	return true
}

const everyMode = oneShot | persistent | recursive

// forget removes all watches of a connection.
func (t *watchTable) forget(c *conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, w := range c.data {
		t.unset(t.data, c.data, w, everyMode)
	}
	for _, w := range c.child {
		t.unset(t.child, c.child, w, everyMode)
	}
}

// fire tells every connection that watches for the event, once each. Called by
// the owner with pub held in full.
func (t *watchTable) fire(e *tree.Event, zxid int64, o *owner) {
	if len(t.data) == 0 && len(t.child) == 0 {
		return
	}
	n := notice{event: e, zxid: zxid, table: t, owner: o}
	t.frame = t.frame[:0] // encoded when the first one wants it, and copied for all
	t.round++             // told once, though several watches see it
	if e.Type == jute.EventNodeChildrenChanged {
		n.list(t.child, false)
		return
	}
	n.list(t.data, true)
	if t.recursives > 0 { // else nobody looks up every ancestor
		n.ancestors()
	}
	// The list of children of a node that is gone is gone too.
	if e.Type == jute.EventNodeDeleted {
		n.list(t.child, false)
	}
}

// A notice is one event on its way to connections.
type notice struct {
	event *tree.Event
	zxid  int64
	table *watchTable
	owner *owner
}

// list tells the watches on the event's path, and removes the one-shot ones that
// it told: that one is gone without a word would tell those who may not know. It
// goes backwards, for removing puts the last watch in the place of the removed one.
func (n *notice) list(index watchIndex, data bool) {
	list := index[n.event.Path]
	for _, w := range slices.Backward(list) {
		if n.tell(w.conn) && w.mode&oneShot != 0 {
			own := w.conn.child
			if data {
				own = w.conn.data
			}
			n.table.unset(index, own, w, oneShot)
		}
	}
}

// ancestors tells the recursive watches above the event's path.
func (n *notice) ancestors() {
	path := n.event.Path
	for path != tree.Root {
		i := strings.LastIndexByte(path, '/')
		path = path[:max(i, 1)]
		for _, w := range n.table.data[path] {
			if w.mode&recursive != 0 {
				n.tell(w.conn)
			}
		}
	}
}

// tell queues the notification for a connection that may read the node and has
// not had it yet, and reports whether it has it now.
func (n *notice) tell(c *conn) bool {
	t := n.table
	if c.told == t.round {
		return c.mayKnow
	}
	c.told = t.round
	c.mayKnow = tree.Allowed(n.event.ACL, jute.PermRead, c.identities())
	if !c.mayKnow {
		return false
	}
	if len(t.frame) == 0 {
		t.frame = appendEvent(t.frame, n.event.Type, n.event.Path, n.zxid)
	}
	n.owner.touch(c)
	c.out.mu.Lock()
	if c.out.open() {
		c.out.buf = append(c.out.buf, t.frame...)
		c.traffic.sent++
		n.owner.tally.sent++
		n.owner.tally.watchBytes += int64(len(t.frame))
	}
	c.out.mu.Unlock()
	return true
}

// appendEvent appends the frame of a notification.
func appendEvent(b []byte, t jute.EventType, path string, zxid int64) []byte {
	start := len(b)
	b = beginReply(b, jute.XidNotification, zxid)
	e := jute.WatcherEvent{Type: t, State: jute.StateSyncConnected, Path: path}
	return endReply(e.Append(b), start, jute.ErrOk)
}

// watchData leaves a watch on a node itself. Like its siblings it is called from
// a read that holds pub.
func (c *conn) watchData(path string, mode watchMode) {
	c.srv.watches.set(c.srv.watches.data, c.data, c, path, mode)
}

// watchChildren leaves a watch on a list of children.
func (c *conn) watchChildren(path string, mode watchMode) {
	c.srv.watches.set(c.srv.watches.child, c.child, c, path, mode)
}

// watchPersistent leaves a persistent watch on a node and its list of children.
func (c *conn) watchPersistent(path string) {
	c.watchData(path, persistent)
	c.watchChildren(path, persistent)
}

// hasWatch reports whether there is a watch on a path with one of the modes.
func (c *conn) hasWatch(path string, data, child watchMode) bool {
	has := func(w *watch, mode watchMode) bool { return w != nil && w.mode&mode != 0 }
	t := &c.srv.watches
	t.mu.Lock()
	defer t.mu.Unlock()
	return has(c.data[path], data) || has(c.child[path], child)
}

// unwatch removes modes of the watches on a path and reports whether there was
// one.
func (c *conn) unwatch(path string, data, child watchMode) bool {
	t := &c.srv.watches
	t.mu.Lock()
	defer t.mu.Unlock()
	hadData := t.unset(t.data, c.data, c.data[path], data)
	hadChild := t.unset(t.child, c.child, c.child[path], child)
	return hadData || hadChild
}
