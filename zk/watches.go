// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zk

import (
	"slices"

	"github.com/rollcall-rpc/rollcall/zk/jute"
)

// The kinds of one-shot watches, in the order of setWatches.
const (
	kindData  = iota // getData, and exists of a node that is there
	kindExist        // exists of a node that is not
	kindChild        // getChildren
	oneShotKinds
)

// oneShotKind returns what watch a read with that outcome leaves, if it does.
func oneShotKind(op jute.OpCode, code jute.ErrCode) (kind int, ok bool) {
	switch {
	case op == jute.OpExists && code == jute.ErrNoNode:
		return kindExist, true
	case code != jute.ErrOk:
		return 0, false
	case op == jute.OpGetChildren2:
		return kindChild, true
	}
	return kindData, true
}

// A watchTable holds a client's watches. Client.mu guards it.
type watchTable struct {
	oneShot    [oneShotKinds]map[string][]chan Event
	persistent [2]map[string][]*Watch // by mode, Persistent first
}

func newWatchTable() watchTable {
	var t watchTable
	for i := range t.oneShot {
		t.oneShot[i] = make(map[string][]chan Event)
	}
	for i := range t.persistent {
		t.persistent[i] = make(map[string][]*Watch)
	}
	return t
}

func (t *watchTable) mode(m WatchMode) map[string][]*Watch { return t.persistent[m-Persistent] }

func (t *watchTable) addOneShot(kind int, path string, ch chan Event) {
	t.oneShot[kind][path] = append(t.oneShot[kind][path], ch)
}

func (t *watchTable) add(w *Watch) {
	m := t.mode(w.mode)
	m[w.path] = append(m[w.path], w)
}

func (t *watchTable) has(path string, mode WatchMode) bool { return len(t.mode(mode)[path]) > 0 }

// remove takes a watch out and tells whether it was there.
func (t *watchTable) remove(w *Watch) bool {
	m := t.mode(w.mode)
	i := slices.Index(m[w.path], w)
	if i < 0 {
		return false
	}
	m[w.path] = slices.Delete(m[w.path], i, i+1)
	if len(m[w.path]) == 0 {
		delete(m, w.path)
	}
	return true
}

// fire hands an event of the server to every watch that it concerns.
func (t *watchTable) fire(ev Event) {
	for kind := range t.oneShot {
		if concerns(kind, ev.Type) {
			t.endOneShots(kind, ev.Path, ev)
		}
	}
	for _, w := range t.mode(Persistent)[ev.Path] {
		w.deliver(ev)
	}
	if ev.Type == NodeChildrenChanged || len(t.mode(PersistentRecursive)) == 0 {
		return
	}
	for path := ev.Path; ; path = parent(path) {
		for _, w := range t.mode(PersistentRecursive)[path] {
			w.deliver(ev)
		}
		if path == "/" || path == "" {
			return
		}
	}
}

// concerns tells whether an event of that type ends one-shot watches of a kind.
func concerns(kind int, typ EventType) bool {
	switch typ {
	case NodeDeleted:
		return true
	case NodeChildrenChanged:
		return kind == kindChild
	case NodeCreated, NodeDataChanged:
		return kind != kindChild
	default: // what tells of the watch itself
		return false
	}
}

func (t *watchTable) endOneShots(kind int, path string, ev Event) {
	for _, ch := range t.oneShot[kind][path] {
		ch <- ev // there is room: nothing was sent before
		close(ch)
	}
	delete(t.oneShot[kind], path)
}

// expire ends the one-shot watches: a new session knows nothing of what they
// were waiting for.
func (t *watchTable) expire(err error) {
	for kind := range t.oneShot {
		for path := range t.oneShot[kind] {
			t.endOneShots(kind, path, Event{Path: path, Err: err, Zxid: -1})
		}
	}
}

// end ends every watch.
func (t *watchTable) end(err error) {
	t.expire(err)
	for _, m := range t.persistent {
		for path, list := range m {
			for _, w := range list {
				w.deliver(Event{Path: path, Err: err, Zxid: -1})
				close(w.events)
			}
		}
		clear(m)
	}
}

// deliver queues an event. The last place in the queue is kept for a Lost
// event: whatever is dropped is dropped behind one that has not been read, so
// that the reader is sure to learn of it. Client.mu is held, and makes this the
// only sender.
func (w *Watch) deliver(ev Event) {
	switch len(w.events) {
	case cap(w.events):
	case cap(w.events) - 1:
		if ev.Err == nil {
			ev = Event{Type: Lost, Path: w.path, Zxid: -1}
		}
		w.events <- ev
	default:
		w.events <- ev
	}
}

// maxSetWatchesBytes bounds a setWatches frame, far below what servers take.
const maxSetWatchesBytes = 128 << 10

// batches returns the requests that arm every watch again, those of one path
// only if that is given, and the persistent watches among them. Events since
// zxid fire the one-shot watches at once.
func (t *watchTable) batches(zxid int64, only ...string) ([]jute.SetWatches2Request, []*Watch) {
	var (
		list  []jute.SetWatches2Request
		armed []*Watch
		size  int
	)
	add := func(path string, field func(*jute.SetWatches2Request) *[]string) {
		if len(only) > 0 && !slices.Contains(only, path) {
			return
		}
		size += 4 + len(path)
		if len(list) == 0 || size > maxSetWatchesBytes {
			list = append(list, jute.SetWatches2Request{SetWatchesRequest: jute.SetWatchesRequest{RelativeZxid: zxid}})
			size = 64 + len(path)
		}
		paths := field(&list[len(list)-1])
		*paths = append(*paths, path)
	}
	for kind, field := range oneShotFields {
		for path := range t.oneShot[kind] {
			add(path, field)
		}
	}
	for mode, field := range persistentFields {
		for path, ws := range t.persistent[mode] {
			if len(only) == 0 || slices.Contains(only, path) {
				armed = append(armed, ws...)
			}
			add(path, field)
		}
	}
	return list, armed
}

var oneShotFields = [oneShotKinds]func(*jute.SetWatches2Request) *[]string{
	kindData:  func(r *jute.SetWatches2Request) *[]string { return &r.Data },
	kindExist: func(r *jute.SetWatches2Request) *[]string { return &r.Exist },
	kindChild: func(r *jute.SetWatches2Request) *[]string { return &r.Child },
}

var persistentFields = [2]func(*jute.SetWatches2Request) *[]string{
	func(r *jute.SetWatches2Request) *[]string { return &r.Persistent },
	func(r *jute.SetWatches2Request) *[]string { return &r.PersistentRecursive },
}

// armRequests encodes batches. When the last is answered the watches in armed
// that are still open get a Rearmed event.
func (c *Client) armRequests(batches []jute.SetWatches2Request, armed []*Watch) []*request {
	rs := make([]*request, len(batches))
	for i := range batches {
		b := &batches[i]
		// Servers before 3.6 know setWatches only.
		if len(b.Persistent)+len(b.PersistentRecursive) == 0 {
			rs[i] = internalRequest(jute.OpSetWatches, "", &b.SetWatchesRequest)
		} else {
			rs[i] = internalRequest(jute.OpSetWatches2, "", b)
		}
		rs[i].xid = jute.XidSetWatches
	}
	if len(rs) == 0 {
		return nil
	}
	rs[len(rs)-1].answered = func(code jute.ErrCode) {
		if code != jute.ErrOk {
			return // the reader drops the connection
		}
		for _, w := range armed {
			if slices.Contains(c.watches.mode(w.mode)[w.path], w) {
				w.deliver(Event{Type: Rearmed, Path: w.path, Zxid: -1})
			}
		}
	}
	return rs
}
