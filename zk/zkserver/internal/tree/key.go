// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"cmp"
	"strings"
)

// A place is where a node stands in the order of nodes: first by the parent's
// path, then by name. The children of a node thereby stand next to each other,
// and grandchildren do not come between them. The root's children have the parent
// "", and it stands before the first of them, as its child without a name.
type place struct {
	path string
	cut  int // where the last slash is
}

// placeOf returns the place of a path, the empty one standing for the root. It
// returns false for what cannot be the path of a node.
func placeOf(path string) (place, bool) {
	if path == "" {
		path = Root
	}
	cut := strings.LastIndexByte(path, '/')
	if cut < 0 || cut > 0 && path[cut-1] == '/' {
		return place{}, false
	}
	return place{path, cut}, true
}

// compare says where a node stands.
func (p place) compare(n *Node) int {
	cut := int(n.cut)
	if cut == p.cut { // the slashes are at the same place: parents and names compare as one
		return strings.Compare(n.Path, p.path)
	}
	return strings.Compare(n.Path[:cut], p.path[:p.cut])
}

// before is the place in front of the first child of a path, "" for the root.
func before(parent string) func(*Node) int {
	return func(n *Node) int {
		if c := strings.Compare(n.Path[:n.cut], parent); c != 0 {
			return c
		}
		if len(n.Path) == len(Root) {
			return -1
		}
		return 1
	}
}

// parentOf returns the path of the parent, as ZooKeeper cuts it: what stands
// before the last slash, "/" if that is nothing. The path must hold a slash.
func parentOf(path string) string {
	i := len(path) - 1
	for path[i] != '/' {
		i--
	}
	if i == 0 {
		return "/"
	}
	return path[:i]
}

// A set is a version of a set of paths.
type set = btree[string]

// atPath finds a path in a set.
func atPath(path string) func(string) int {
	return func(p string) int { return strings.Compare(p, path) }
}

// An ephemeral is the path of an ephemeral node and whose it is.
type ephemeral struct {
	session int64
	path    string
}

func (e ephemeral) compare(o ephemeral) int {
	if c := cmp.Compare(o.session, e.session); c != 0 {
		return c
	}
	return strings.Compare(o.path, e.path)
}

// A lease is a session and its timeout.
type lease struct {
	session       int64
	timeoutMillis int32
}

// ofSession finds a lease.
func ofSession(id int64) func(lease) int {
	return func(l lease) int { return cmp.Compare(uint64(l.session), uint64(id)) } //nolint:gosec // a pattern of bits
}
