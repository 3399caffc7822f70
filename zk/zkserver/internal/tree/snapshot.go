// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/rollcall-rpc/rollcall/zk/jute"
)

// A snapshot is chunks of entries. Each chunk begins with an int, its kind:
//
//	chunkTree      long zxid, int nodes, int sessions; the first, and only once
//	chunkSessions  long id, int timeout; ...; in the order of the ids
//	chunkNodes     nodes; in the order of their keys: parents before children
const (
	chunkTree int32 = iota + 1
	chunkSessions
	chunkNodes
)

// chunkBytes is when a chunk is given away and the next is begun.
const chunkBytes = 64 << 10

// WriteSnapshot calls write with the chunks that [Loader] makes the tree of
// again, until that returns an error, which it returns. A chunk is valid during
// the call.
func (t *Tree) WriteSnapshot(write func(chunk []byte) error) error {
	b := jute.AppendInt(nil, chunkTree)
	b = jute.AppendLong(b, t.zxid)
	b = jute.AppendInt(b, int32(t.nodes.len))    //nolint:gosec // bounded by memory
	b = jute.AppendInt(b, int32(t.sessions.len)) //nolint:gosec // bounded by memory
	if err := write(b); err != nil {
		return err
	}
	w := chunkWriter{write: write}
	w.begin(chunkSessions)
	t.Sessions(func(id int64, timeout int32) bool {
		w.buf = jute.AppendInt(jute.AppendLong(w.buf, id), timeout)
		return w.next()
	})
	w.begin(chunkNodes)
	t.nodes.all(func(n *Node) bool {
		w.buf = appendNode(w.buf, n)
		return w.next()
	})
	w.end()
	return w.err
}

// A chunkWriter gives away chunks of entries.
type chunkWriter struct {
	write func([]byte) error
	kind  int32
	buf   []byte
	err   error
}

func (w *chunkWriter) begin(kind int32) {
	w.end()
	w.kind = kind
	w.buf = jute.AppendInt(w.buf[:0], kind)
}

// end gives away the entries that wait, if there are any.
func (w *chunkWriter) end() {
	const kindSize = 4
	if len(w.buf) > kindSize && w.err == nil {
		w.err = w.write(w.buf)
	}
}

// next ends an entry and reports whether more are wanted.
func (w *chunkWriter) next() bool {
	if len(w.buf) >= chunkBytes {
		w.begin(w.kind)
	}
	return w.err == nil
}

// appendNode appends string path, buffer data, bool whether the ACL is not
// [WorldAnyone], if so vector of ACL, long czxid, mzxid, pzxid, ctime, mtime,
// owner, int version, aversion, children, created.
func appendNode(b []byte, n *Node) []byte {
	b = jute.AppendString(b, n.Path)
	b = jute.AppendBuffer(b, n.Data)
	if world := isWorldAnyone(n.ACL); world {
		b = jute.AppendBool(b, false)
	} else {
		b = jute.AppendACLs(jute.AppendBool(b, true), n.ACL)
	}
	for _, v := range [...]int64{n.czxid, n.mzxid, n.pzxid, n.ctime, n.mtime, n.owner} {
		b = jute.AppendLong(b, v)
	}
	for _, v := range [...]int32{n.version, n.aversion, n.children, n.created} {
		b = jute.AppendInt(b, v)
	}
	return b
}

// A Loader makes a tree of the chunks of a snapshot. It checks that they are of
// one: every node has its parent, every ephemeral its session. [NewLoader] makes
// one.
type Loader struct {
	tree *Tree
	acls map[string][]jute.ACL // lists are shared, as they were

	wantNodes, wantSessions int32
	children                int64 // that nodes say they have
	last, parent            *Node // the last node and its parent
	siblings                int32 // so far
}

// NewLoader returns a Loader that has seen nothing yet.
func NewLoader() *Loader { return &Loader{acls: map[string][]jute.ACL{}} }

var (
	errNoTree   = errors.New("tree: snapshot: it does not begin with the tree")
	errTwoTrees = errors.New("tree: snapshot: a second tree begins")
)

// Add takes the next chunk, of which it keeps nothing.
func (l *Loader) Add(chunk []byte) error {
	d := jute.NewDecoder(chunk)
	kind := d.Int()
	switch {
	case d.Err() != nil:
		return fmt.Errorf("tree: snapshot: %w", d.Err())
	case kind == chunkTree && l.tree == nil:
		return l.begin(&d)
	case kind == chunkTree:
		return errTwoTrees
	case l.tree == nil:
		return errNoTree
	case kind == chunkSessions:
		return l.addSessions(&d)
	case kind == chunkNodes:
		return l.addNodes(&d)
	}
	return fmt.Errorf("tree: snapshot: a chunk of kind %d, want at most %d", kind, chunkNodes)
}

func (l *Loader) begin(d *jute.Decoder) error {
	t := &Tree{zxid: d.Long()}
	l.wantNodes, l.wantSessions = d.Int(), d.Int()
	if d.Err() != nil {
		return fmt.Errorf("tree: snapshot: %w", d.Err())
	}
	l.tree = t
	return nil
}

func (l *Loader) addSessions(d *jute.Decoder) error {
	for d.Len() > 0 {
		id, timeout := d.Long(), d.Int()
		if d.Err() != nil {
			return fmt.Errorf("tree: snapshot: session: %w", d.Err())
		}
		if l.tree.hasSession(id) {
			return fmt.Errorf("tree: snapshot: session 0x%x is there twice", id)
		}
		l.tree.sessions.put(0, lease{id, timeout}, ofSession(id))
	}
	return nil
}

func (l *Loader) addNodes(d *jute.Decoder) error {
	for d.Len() > 0 {
		n := l.decodeNode(d)
		if d.Err() != nil {
			return fmt.Errorf("tree: snapshot: node: %w", d.Err())
		}
		if err := l.addNode(n); err != nil {
			return fmt.Errorf("tree: snapshot: node %q: %w", n.Path, err)
		}
	}
	return nil
}

func (l *Loader) decodeNode(d *jute.Decoder) *Node {
	n := &Node{Path: d.String(), Data: bytes.Clone(d.Buffer()), ACL: worldAnyone}
	if d.Bool() {
		n.ACL = l.share(d.ACLs())
	}
	for _, v := range [...]*int64{&n.czxid, &n.mzxid, &n.pzxid, &n.ctime, &n.mtime, &n.owner} {
		*v = d.Long()
	}
	for _, v := range [...]*int32{&n.version, &n.aversion, &n.children, &n.created} {
		*v = d.Int()
	}
	if n.children >= longList {
		n.list = new(list)
	}
	return n
}

// share returns the first list that was equal to this one.
func (l *Loader) share(acl []jute.ACL) []jute.ACL {
	key := jute.AppendACLs(nil, acl)
	if shared, ok := l.acls[string(key)]; ok {
		return shared
	}
	l.acls[string(key)] = acl
	return acl
}

var (
	errPath    = errors.New("the path is not valid")
	errOrder   = errors.New("it does not follow the node before it")
	errParent  = errors.New("it has no parent")
	errSession = errors.New("it is ephemeral and its session is not there")
)

func (l *Loader) addNode(n *Node) error {
	if !ValidPath(n.Path) {
		return errPath
	}
	at, _ := placeOf(n.Path)
	n.cut = int32(at.cut) //nolint:gosec // bounded by the chunk
	if l.last != nil && at.compare(l.last) >= 0 {
		return errOrder
	}
	l.last = n
	if err := l.adopt(n); err != nil {
		return err
	}
	t := l.tree
	switch {
	case isSession(n.owner):
		if !t.hasSession(n.owner) {
			return errSession
		}
		e := ephemeral{n.owner, n.Path}
		t.ephemerals.put(0, e, e.compare)
	case n.owner != 0:
		t.mortals.put(0, n.Path, atPath(n.Path))
	}
	if quota, ok := quotaOf(n.Path, limitsName); ok {
		t.quotas.put(0, quota, atPath(quota))
	}
	t.nodes.put(0, n, at.compare)
	t.bytes += n.size()
	l.children += int64(n.children)
	return nil
}

// adopt finds the parent of a node and counts its children. Those of one parent
// follow each other.
func (l *Loader) adopt(n *Node) error {
	if n.Path == Root {
		return nil
	}
	parent := parentOf(n.Path)
	if l.parent == nil || l.parent.Path != parent {
		if err := l.countSiblings(); err != nil {
			return err
		}
		l.parent, l.siblings = l.tree.get(parent), 0
		if l.parent == nil || isSession(l.parent.owner) {
			return errParent
		}
	}
	l.siblings++
	return nil
}

func (l *Loader) countSiblings() error {
	if l.parent != nil && l.siblings != l.parent.children {
		return fmt.Errorf("%q has %d children, want %d", l.parent.Path, l.siblings, l.parent.children)
	}
	return nil
}

// Tree returns the tree behind the last chunk, if all of it is there.
func (l *Loader) Tree() (*Tree, error) {
	if l.tree == nil {
		return nil, errNoTree
	}
	if err := l.countSiblings(); err != nil {
		return nil, fmt.Errorf("tree: snapshot: %w", err)
	}
	t := l.tree
	switch {
	case int64(t.nodes.len) != int64(l.wantNodes) || int64(t.sessions.len) != int64(l.wantSessions):
		return nil, fmt.Errorf("tree: snapshot: %d nodes and %d sessions, want %d and %d",
			t.nodes.len, t.sessions.len, l.wantNodes, l.wantSessions)
	case l.children != int64(t.nodes.len)-1:
		return nil, fmt.Errorf("tree: snapshot: %d nodes have %d children: want one less than there are nodes", t.nodes.len, l.children)
	}
	for _, path := range []string{Root, jute.SystemPath, jute.QuotaPath, jute.ConfigPath} {
		if t.Get(path) == nil {
			return nil, fmt.Errorf("tree: snapshot: there is no %q", path)
		}
	}
	return t, nil
}
