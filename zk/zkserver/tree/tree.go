// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"encoding/binary"

	iradix "github.com/hashicorp/go-immutable-radix/v2"

	"github.com/rollcall-rpc/rollcall/zk/jute"
)

// The nodes that every tree has. They cannot be deleted.
const (
	Root       = "/"
	RootSystem = "/zookeeper"
	RootQuota  = "/zookeeper/quota"
	RootConfig = "/zookeeper/config"
)

// A Tree is one version of the tree and of the table of sessions. It never
// changes.
type Tree struct {
	nodes      *iradix.Tree[*Node]
	ephemerals *set                // session id, path
	mortals    *set                // paths of containers and nodes with a time to live
	quotas     *set                // paths of nodes that have a quota, each with a slash behind
	sessions   *iradix.Tree[int32] // session id: timeout in ms
	bytes      int64               // of paths and data
	zxid       int64
	gen        uint64 // of the last step of a batch
}

// New returns a tree with the built-in nodes and no session. The first
// transaction must have a zxid greater than the one given.
func New(zxid int64) *Tree {
	t := &Tree{
		nodes:      iradix.New[*Node](),
		ephemerals: iradix.New[struct{}](),
		mortals:    iradix.New[struct{}](),
		quotas:     iradix.New[struct{}](),
		sessions:   iradix.New[int32](),
		zxid:       zxid,
	}
	// Built-in children are not counted as created.
	configACL := []jute.ACL{{Perms: jute.PermRead, Scheme: SchemeWorld, ID: "anyone"}}
	txn := t.nodes.Txn()
	for _, n := range []*Node{
		{Path: Root, ACL: worldAnyone, children: 1},
		{Path: RootSystem, ACL: worldAnyone, children: 2},
		{Path: RootQuota, ACL: worldAnyone},
		{Path: RootConfig, ACL: configACL, aversion: -1},
	} {
		n.Data = []byte{}
		n.key, _ = appendKey(nil, n.Path)
		txn.Insert(n.key, n)
		t.bytes += n.size()
	}
	t.nodes = txn.Commit()
	return t
}

// Zxid returns the zxid of the last transaction.
func (t *Tree) Zxid() int64 { return t.zxid }

// Len returns how many nodes there are, the built-in ones included.
func (t *Tree) Len() int { return t.nodes.Len() }

// Bytes returns how long all paths and data are together.
func (t *Tree) Bytes() int64 { return t.bytes }

// keySpace is the room for a key on the stack. Longer keys are allocated.
const keySpace = 256

// Get returns the node of a path, or nil. The empty path stands for the root, as
// it does in ZooKeeper's reads.
func (t *Tree) Get(path string) *Node { return find(t.nodes.Root(), path) }

// GetBytes is [Tree.Get] for a path that is not a string yet. It does not keep
// the slice.
func (t *Tree) GetBytes(path []byte) *Node { return find(t.nodes.Root(), path) }

func find[P string | []byte](root *iradix.Node[*Node], path P) *Node {
	var space [keySpace]byte
	key, ok := appendKey(space[:0], path)
	if !ok {
		return nil
	}
	n, _ := root.Get(key)
	return n
}

// Children calls f with the name of each child of the node, in byte order,
// until f returns false.
func (t *Tree) Children(n *Node, f func(name string) bool) {
	if n.children == 0 {
		return
	}
	var space [keySpace]byte
	skip := len(n.Path) + 1
	if n.Path == Root {
		skip = 1
	}
	t.nodes.Root().WalkPrefix(appendChildPrefix(space[:0], n.Path), func(_ []byte, child *Node) bool {
		return !f(child.Path[skip:])
	})
}

// NumDescendants returns how many nodes are below one, at any depth.
func (t *Tree) NumDescendants(n *Node) int {
	if n.Path == Root {
		return t.Len() - 1
	}
	total := int(n.children)
	t.nodes.Root().WalkPrefix([]byte(n.Path+"/"), func([]byte, *Node) bool {
		total++
		return false
	})
	return total
}

// Session returns the timeout of a session in ms, and whether it exists.
func (t *Tree) Session(id int64) (timeoutMillis int32, ok bool) {
	var space [8]byte
	return t.sessions.Get(appendSessionKey(space[:0], id))
}

// Sessions calls f with each session in the order of the ids, until f returns
// false.
func (t *Tree) Sessions(f func(id int64, timeoutMillis int32) bool) {
	t.sessions.Root().Walk(func(key []byte, timeout int32) bool {
		return !f(int64(binary.BigEndian.Uint64(key)), timeout) //nolint:gosec // two's complement is the encoding
	})
}

// NumSessions returns how many sessions there are.
func (t *Tree) NumSessions() int { return t.sessions.Len() }

// NumEphemerals returns how many ephemeral nodes there are.
func (t *Tree) NumEphemerals() int { return t.ephemerals.Len() }

// Ephemerals returns the paths of the ephemeral nodes of a session in byte
// order.
func (t *Tree) Ephemerals(session int64) []string { return ephemeralsOf(t.ephemerals.Root(), session) }

func ephemeralsOf(root *iradix.Node[struct{}], session int64) []string {
	var space [8]byte
	var paths []string
	root.WalkPrefix(appendSessionKey(space[:0], session), func(key []byte, _ struct{}) bool {
		paths = append(paths, string(key[8:]))
		return false
	})
	return paths
}
