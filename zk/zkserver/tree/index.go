// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package tree

import iradix "github.com/hashicorp/go-immutable-radix/v2"

// A set is a version of a set of keys.
type set = iradix.Tree[struct{}]

// An index is a set in the making. Most batches change few of them, so it costs
// nothing until it is changed.
type index struct {
	base *set
	txn  *iradix.Txn[struct{}] // nil: as base
}

func (x *index) root() *iradix.Node[struct{}] {
	if x.txn != nil {
		return x.txn.Root()
	}
	return x.base.Root()
}

func (x *index) insert(key []byte) { x.open().Insert(key, struct{}{}) }

func (x *index) remove(key []byte) { x.open().Delete(key) }

func (x *index) open() *iradix.Txn[struct{}] {
	if x.txn == nil {
		x.txn = x.base.Txn()
	}
	return x.txn
}

// commit returns the version as it is now; the index can go on.
func (x *index) commit() *set {
	if x.txn == nil {
		return x.base
	}
	return x.txn.CommitOnly()
}

// clone returns the index as it is now, which does not change with x.
func (x *index) clone() index {
	c := *x
	if x.txn != nil {
		c.txn = x.txn.Clone()
	}
	return c
}
