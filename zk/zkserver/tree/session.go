// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	iradix "github.com/hashicorp/go-immutable-radix/v2"

	"github.com/rollcall-rpc/rollcall/zk/jute"
)

func (b *Batch) openSession(r *Request) Outcome {
	b.apply(b.record(Change{Kind: ChangeOpenSession, Owner: r.Session, Counter: r.Version}))
	return Outcome{Op: r.Op}
}

// closeSession removes a session and its ephemeral nodes in one transaction,
// which lists them: what is removed must not depend on who applies it.
func (b *Batch) closeSession(r *Request) Outcome {
	if !b.hasSession() {
		return Outcome{Op: r.Op, Err: jute.ErrSessionExpired}
	}
	var root *iradix.Node[struct{}]
	if b.ephemerals != nil {
		root = b.ephemerals.Root()
	} else {
		root = b.base.ephemerals.Root()
	}
	paths := ephemeralsOf(root, r.Session)
	b.apply(b.record(Change{Kind: ChangeCloseSession, Owner: r.Session, Paths: paths}))
	return Outcome{Op: r.Op}
}
