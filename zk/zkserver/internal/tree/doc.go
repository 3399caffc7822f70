// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

// Package tree is ZooKeeper's tree of znodes as a pure state machine: no clock,
// no I/O, no goroutine. Time, zxids and identities are arguments.
//
//	t := tree.New(0)
//	b := t.Begin()
//	out := b.Do(&tree.Request{Op: jute.OpCreate, Path: "/a", ACL: jute.WorldAnyone()}, b.Zxid()+1, now)
//	t = b.Commit()
//
// A [Tree] is an immutable version. A [Batch] validates requests against the
// version in the making and turns each that is allowed into a [Txn]: a plain
// value that holds the outcome (final path, versions, times, expanded ACL,
// removed ephemerals) and nothing that would have to be computed again. Applying
// the transactions of a batch to the tree it began with gives the tree it
// committed, see [Tree.Apply].
//
// # Concurrency
//
// A Tree and its Nodes may be read from any goroutine. A Batch belongs to one.
//
// # Caveats
//
// Data and ACL slices that are given to a request are kept, not copied; those
// of a Node must not be changed.
//
// Source: ZooKeeper's DataTree, PrepRequestProcessor and PathUtils.
package tree
