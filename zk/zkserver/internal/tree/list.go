// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"sync/atomic"

	"github.com/rollcall-rpc/rollcall/zk/jute"
)

// longList is how many children make it worthwhile to keep their list as it is on
// the wire. Between two changes it is often read by many, for whoever watches it
// reads it again.
const longList = 64

// A list is that of a node's children. Versions of the node that have the same
// children share it.
type list struct {
	gen     uint64                 // the step of the batch that made it
	encoded atomic.Pointer[[]byte] // nil: nobody has asked yet
}

// renewList is called when the children of n have changed.
func (b *Batch) renewList(n *Node) {
	switch {
	case n.children < longList:
		n.list = nil
	case n.list == nil || n.list.gen != b.gen: // else nobody can have read it
		n.list = &list{gen: b.gen}
	}
}

// AppendChildren appends the names of the node's children in byte order, as a
// vector of string.
func (t *Tree) AppendChildren(b []byte, n *Node) []byte {
	if n.list == nil {
		return t.appendChildren(b, n)
	}
	encoded := n.list.encoded.Load()
	if encoded == nil {
		names := t.appendChildren(nil, n)
		encoded = &names
		n.list.encoded.Store(encoded)
	}
	return append(b, *encoded...)
}

func (t *Tree) appendChildren(b []byte, n *Node) []byte {
	b = jute.AppendInt(b, n.children)
	t.Children(n, func(name string) bool {
		b = jute.AppendString(b, name)
		return true
	})
	return b
}
