// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"fmt"

	"github.com/rollcall-rpc/rollcall/zk/jute"
)

// A Txn is a transaction: changes that happen together, at one zxid and one
// time. It says what the outcome is, not what was asked for, so that applying it
// again in the same order gives the same tree.
type Txn struct {
	Zxid    int64
	Time    int64 // ms since 1970
	Session int64 // whose request it was
	Changes []Change
}

// A ChangeKind says what a Change does.
type ChangeKind uint8

// The kinds of changes, and the fields of [Change] that count.
const (
	ChangeCreate       ChangeKind = iota + 1 // Path, Data, ACL, Owner, Counter: created of the parent
	ChangeDelete                             // Path
	ChangeSetData                            // Path, Data, Counter: the new version
	ChangeSetACL                             // Path, ACL, Counter: the new aversion
	ChangeOpenSession                        // Owner, Counter: the timeout in ms
	ChangeCloseSession                       // Owner, Paths: the ephemeral nodes removed
	ChangeUsage                              // Path: the stats node of a quota, Data: its new data
)

// A Change is one step of a transaction.
type Change struct {
	Kind    ChangeKind
	Counter int32
	Path    string
	Data    []byte
	ACL     []jute.ACL
	Owner   int64 // session id; in a ChangeCreate also OwnerContainer, an OwnerTTL, or 0: persistent
	Paths   []string
}

// Apply returns the version of the tree after the transactions, which must be
// those of a batch that began with t, or of several that followed each other.
// The error names the first change that does not fit.
func (t *Tree) Apply(txns []Txn) (*Tree, error) {
	b := t.Begin()
	for i := range txns {
		txn := &txns[i]
		if txn.Zxid <= b.zxid {
			return nil, fmt.Errorf("tree: zxid 0x%x follows 0x%x: want a greater one", txn.Zxid, b.zxid)
		}
		b.zxid, b.now, b.session = txn.Zxid, txn.Time, txn.Session
		for j := range txn.Changes {
			c := &txn.Changes[j]
			if err := b.check(c); err != nil {
				return nil, fmt.Errorf("tree: zxid 0x%x, change %d: %w", txn.Zxid, j, err)
			}
			b.apply(c)
		}
	}
	return b.Commit(), nil
}

// check says why a change cannot be applied. Changes that Do made always can.
func (b *Batch) check(c *Change) error {
	switch c.Kind {
	case ChangeCreate:
		if !ValidPath(c.Path) || c.Path == Root || b.get(c.Path) != nil {
			return fmt.Errorf("create %q: the path is bad or taken", c.Path)
		}
		if b.get(parentOf(c.Path)) == nil {
			return fmt.Errorf("create %q: no parent", c.Path)
		}
	case ChangeDelete:
		return b.checkLeaf(c.Path)
	case ChangeSetData, ChangeSetACL, ChangeUsage:
		if b.get(c.Path) == nil {
			return fmt.Errorf("set %q: no node", c.Path)
		}
	case ChangeOpenSession:
	case ChangeCloseSession:
		for _, path := range c.Paths {
			if err := b.checkLeaf(path); err != nil {
				return err
			}
		}
	default:
		return fmt.Errorf("unknown kind %d", c.Kind)
	}
	return nil
}

func (b *Batch) checkLeaf(path string) error {
	if n := b.get(path); n == nil || n.children > 0 || builtIn(path) {
		return fmt.Errorf("delete %q: no such node, or it has children", path)
	}
	return nil
}

func builtIn(path string) bool {
	switch path {
	case Root, jute.SystemPath, jute.QuotaPath, jute.ConfigPath:
		return true
	}
	return false
}
