// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"math"

	"github.com/rollcall-rpc/rollcall/zk/jute"
)

// A Node is a znode in one version of the tree. It must not be changed.
type Node struct {
	Path string
	Data []byte // nil is kept apart from empty
	ACL  []jute.ACL

	list         *list  // of the children; nil: there are few
	cut          int32  // where the last slash of the path is
	gen          uint64 // the step of the batch that made it and may still change it
	czxid, mzxid int64
	pzxid        int64
	ctime, mtime int64
	owner        int64 // a session, OwnerContainer, an OwnerTTL, or 0
	version      int32
	aversion     int32
	children     int32
	// created counts the children that ever were: the number of the next
	// sequential one. It stops at the greatest int32. What clients see as
	// cversion is computed from it.
	created int32
}

// newNode returns a node at a place.
func newNode(p place) *Node { return &Node{Path: p.path, cut: int32(p.cut)} } //nolint:gosec // bounded by the frame limit

func (n *Node) place() place { return place{n.Path, int(n.cut)} }

// Stat returns what clients are told about the node. Cversion counts children
// created and removed, from the creations alone as DataNode.copyStat does it;
// so it is negative where built-in children were never counted.
func (n *Node) Stat() jute.Stat {
	owner := n.owner
	if !isSession(owner) {
		owner = 0
	}
	return jute.Stat{
		Czxid: n.czxid, Mzxid: n.mzxid, Pzxid: n.pzxid,
		Ctime: n.ctime, Mtime: n.mtime,
		Version: n.version, Cversion: 2*n.created - n.children, Aversion: n.aversion,
		EphemeralOwner: owner,
		DataLength:     int32(len(n.Data)), //nolint:gosec // bounded by the frame limit
		NumChildren:    n.children,
	}
}

// AppendStat appends the node's Stat as it is on the wire.
func (n *Node) AppendStat(b []byte) []byte {
	s := n.Stat()
	return s.Append(b)
}

// NumChildren returns how many children the node has.
func (n *Node) NumChildren() int { return int(n.children) }

// Mzxid returns the zxid of the last change of the data.
func (n *Node) Mzxid() int64 { return n.mzxid }

// Pzxid returns the zxid of the last change of the list of children.
func (n *Node) Pzxid() int64 { return n.pzxid }

// size is the length of path and data.
func (n *Node) size() int64 { return int64(len(n.Path) + len(n.Data)) }

// nextCreated is the creation counter after one more child.
func (n *Node) nextCreated() int32 {
	if n.created == math.MaxInt32 {
		return n.created
	}
	return n.created + 1
}
