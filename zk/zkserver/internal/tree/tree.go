// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"strings"
	"unsafe"

	"github.com/rollcall-rpc/rollcall/zk/jute"
)

// Root is the path of the node above all others.
const Root = "/"

// A Tree is one version of the tree and of the table of sessions. It never
// changes.
type Tree struct {
	state
	zxid int64
	gen  uint64 // of the last step of a batch
}

// A state is everything that a tree holds, and a value.
type state struct {
	nodes      btree[*Node]
	ephemerals btree[ephemeral]
	mortals    set // paths of containers and nodes with a time to live
	quotas     set // paths of nodes that have a quota
	sessions   btree[lease]
	bytes      int64 // of paths and data
}

// New returns a tree with the built-in nodes and no session. The first
// transaction must have a zxid greater than the one given.
func New(zxid int64) *Tree {
	t := &Tree{zxid: zxid}
	// Built-in children are not counted as created.
	configACL := []jute.ACL{{Perms: jute.PermRead, Scheme: SchemeWorld, ID: "anyone"}}
	for _, n := range []*Node{
		{Path: Root, ACL: worldAnyone, children: 1},
		{Path: jute.SystemPath, ACL: worldAnyone, children: 2},
		{Path: jute.QuotaPath, ACL: worldAnyone},
		{Path: jute.ConfigPath, ACL: configACL, aversion: -1},
	} {
		n.Data = []byte{}
		at, _ := placeOf(n.Path)
		n.cut = int32(at.cut) //nolint:gosec // short
		t.nodes.put(0, n, at.compare)
		t.bytes += n.size()
	}
	return t
}

// Zxid returns the zxid of the last transaction.
func (t *Tree) Zxid() int64 { return t.zxid }

// Len returns how many nodes there are, the built-in ones included.
func (t *Tree) Len() int { return t.nodes.len }

// Bytes returns how long all paths and data are together.
func (t *Tree) Bytes() int64 { return t.bytes }

// Get returns the node of a path, or nil. The empty path stands for the root, as
// it does in ZooKeeper's reads.
func (t *Tree) Get(path string) *Node { return t.get(path) }

func (s *state) get(path string) *Node {
	at, ok := placeOf(path)
	if !ok {
		return nil
	}
	n, _ := s.nodes.get(at.compare)
	return n
}

// GetBytes is [Tree.Get] for a path that is not a string yet. It does not keep
// the slice.
func (t *Tree) GetBytes(path []byte) *Node {
	return t.get(unsafe.String(unsafe.SliceData(path), len(path))) //nolint:gosec // only read, and not kept
}

// Children calls f with the name of each child of the node, in byte order,
// until f returns false.
func (t *Tree) Children(n *Node, f func(name string) bool) {
	t.eachChild(n, func(child *Node) bool { return f(child.Path[child.cut+1:]) })
}

func (s *state) eachChild(n *Node, f func(*Node) bool) {
	left := n.children
	if left == 0 {
		return
	}
	path := n.Path
	if path == Root {
		path = ""
	}
	s.nodes.ascend(before(path), func(child *Node) bool {
		left--
		return f(child) && left > 0
	})
}

// eachBelow calls f with the nodes below the children of a path that is not the
// root's.
func (s *state) eachBelow(path string, f func(*Node) bool) {
	path += "/"
	s.nodes.ascend(
		func(n *Node) int {
			if n.Path[:n.cut] < path {
				return -1
			}
			return 1
		},
		func(n *Node) bool { return strings.HasPrefix(n.Path[:n.cut], path) && f(n) },
	)
}

// NumDescendants returns how many nodes are below one, at any depth.
func (t *Tree) NumDescendants(n *Node) int {
	if n.Path == Root {
		return t.Len() - 1
	}
	total := int(n.children)
	t.eachBelow(n.Path, func(*Node) bool {
		total++
		return true
	})
	return total
}

// Session returns the timeout of a session in ms, and whether it exists.
func (t *Tree) Session(id int64) (timeoutMillis int32, ok bool) {
	l, ok := t.sessions.get(ofSession(id))
	return l.timeoutMillis, ok
}

func (s *state) hasSession(id int64) bool {
	_, ok := s.sessions.get(ofSession(id))
	return ok
}

// Sessions calls f with each session in the order of the ids, until f returns
// false.
func (t *Tree) Sessions(f func(id int64, timeoutMillis int32) bool) {
	t.sessions.all(func(l lease) bool { return f(l.session, l.timeoutMillis) })
}

// NumSessions returns how many sessions there are.
func (t *Tree) NumSessions() int { return t.sessions.len }

// NumEphemerals returns how many ephemeral nodes there are.
func (t *Tree) NumEphemerals() int { return t.ephemerals.len }

// Ephemerals returns the paths of the ephemeral nodes of a session in byte
// order.
func (t *Tree) Ephemerals(session int64) []string { return t.ephemeralsOf(session) }

func (s *state) ephemeralsOf(session int64) []string {
	var paths []string
	s.ephemerals.ascend(ephemeral{session: session}.compare, func(e ephemeral) bool {
		if e.session == session {
			paths = append(paths, e.path)
		}
		return e.session == session
	})
	return paths
}
