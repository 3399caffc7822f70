// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package tree

import "github.com/rollcall-rpc/rollcall/zk/jute"

func (b *Batch) setData(r *Request) Outcome {
	out := Outcome{Op: r.Op}
	n, err := b.subject(r, jute.PermWrite)
	if err == 0 {
		err = b.overQuota(r.Path, 0, int64(len(r.Data)-len(n.Data)))
	}
	switch {
	case err != 0:
		out.Err = err
	case r.Version != jute.AnyVersion && r.Version != n.version:
		out.Err = jute.ErrBadVersion
	default:
		grown := int64(len(r.Data) - len(n.Data))
		n = b.apply(b.record(Change{Kind: ChangeSetData, Path: n.Path, Data: r.Data, Counter: n.version + 1}))
		out.Stat = n.Stat()
		if grown != 0 {
			b.charge(r.Path, 0, grown)
		}
	}
	return out
}

func (b *Batch) setACL(r *Request) Outcome {
	out := Outcome{Op: r.Op}
	if out.Err = b.checkPath(r.Path); out.Err != 0 {
		return out
	}
	acl := b.expandACL(r.ACL)
	if acl == nil {
		out.Err = jute.ErrInvalidACL
		return out
	}
	n, err := b.subject(r, jute.PermAdmin)
	switch {
	case err != 0:
		out.Err = err
	case r.Version != jute.AnyVersion && r.Version != n.aversion:
		out.Err = jute.ErrBadVersion
	default:
		n = b.apply(b.record(Change{Kind: ChangeSetACL, Path: n.Path, ACL: acl, Counter: n.aversion + 1}))
		out.Stat = n.Stat()
	}
	return out
}

// checkVersion is the check of a multi.
func (b *Batch) checkVersion(r *Request) Outcome {
	out := Outcome{Op: r.Op}
	n, err := b.subject(r, jute.PermRead)
	switch {
	case err != 0:
		out.Err = err
	case r.Version != jute.AnyVersion && r.Version != n.version:
		out.Err = jute.ErrBadVersion
	}
	return out
}

// subject returns the node that a request is about if the asker has the
// permission.
func (b *Batch) subject(r *Request, perm int32) (*Node, jute.ErrCode) {
	if err := b.checkPath(r.Path); err != 0 {
		return nil, err
	}
	n := b.get(r.Path)
	switch {
	case n == nil:
		return nil, jute.ErrNoNode
	case !Allowed(n.ACL, perm, b.who):
		return nil, jute.ErrNoAuth
	}
	return n, jute.ErrOk
}

func (b *Batch) checkPath(path string) jute.ErrCode {
	switch {
	case !b.hasSession(b.session):
		return jute.ErrSessionExpired
	case !ValidPath(path):
		return jute.ErrBadArguments
	}
	return jute.ErrOk
}
