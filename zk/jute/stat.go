// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package jute

// A Stat is what ZooKeeper tells about a node besides its data: 68 bytes.
type Stat struct {
	Czxid          int64 // the transaction that created the node
	Mzxid          int64 // the transaction that last changed its data
	Ctime          int64 // when it was created, ms since 1970 on the server's clock
	Mtime          int64 // when its data last changed, likewise
	Version        int32 // changes of the data
	Cversion       int32 // changes of the list of children
	Aversion       int32 // changes of the ACL
	EphemeralOwner int64 // the session that an ephemeral node belongs to, else 0
	DataLength     int32 // length of the data in bytes
	NumChildren    int32 // children, grandchildren not counted
	Pzxid          int64 // the transaction that last added or removed a child
}

// StatSize is the encoded length of a Stat in bytes.
const StatSize = 68

// Append implements [Record].
func (s *Stat) Append(b []byte) []byte {
	b = AppendLong(AppendLong(b, s.Czxid), s.Mzxid)
	b = AppendLong(AppendLong(b, s.Ctime), s.Mtime)
	b = AppendInt(AppendInt(AppendInt(b, s.Version), s.Cversion), s.Aversion)
	b = AppendLong(b, s.EphemeralOwner)
	b = AppendInt(AppendInt(b, s.DataLength), s.NumChildren)
	return AppendLong(b, s.Pzxid)
}

// Decode implements [Record].
func (s *Stat) Decode(d *Decoder) {
	s.Czxid, s.Mzxid, s.Ctime, s.Mtime = d.Long(), d.Long(), d.Long(), d.Long()
	s.Version, s.Cversion, s.Aversion = d.Int(), d.Int(), d.Int()
	s.EphemeralOwner = d.Long()
	s.DataLength, s.NumChildren = d.Int(), d.Int()
	s.Pzxid = d.Long()
}

// An ACL grants permissions to an identity.
type ACL struct {
	Perms  int32 // a sum of PermRead … PermAdmin
	Scheme string
	ID     string
}

// WorldAnyone returns a new list that grants every permission to everybody.
func WorldAnyone() []ACL { return []ACL{{Perms: PermAll, Scheme: "world", ID: "anyone"}} }

// AppendACLs appends a vector of ACL; nil is written as an empty vector.
func AppendACLs(b []byte, list []ACL) []byte {
	b = AppendInt(b, int32(len(list))) //nolint:gosec // bounded by the frame limit
	for i := range list {
		b = AppendInt(b, list[i].Perms)
		b = AppendString(AppendString(b, list[i].Scheme), list[i].ID)
	}
	return b
}

// ACLs reads a vector of ACL. A null vector gives nil, an empty one an empty
// slice that is not nil.
func (d *Decoder) ACLs() []ACL {
	n, ok := d.Count(12)
	if !ok {
		return nil
	}
	list := make([]ACL, n)
	for i := range list {
		list[i] = ACL{Perms: d.Int(), Scheme: d.String(), ID: d.String()}
	}
	return list
}
