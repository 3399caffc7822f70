// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"bytes"

	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zkserver/internal/tree"
)

var createHandler = handler{
	write: decodeCreate,
	reply: appendOutcomePath,
	short: "CREA",
}

func appendOutcomePath(b []byte, out *tree.Outcome) []byte { return jute.AppendString(b, out.Path) }

func decodeCreate(d *jute.Decoder, r *tree.Request) jute.ErrCode {
	path, ok := d.NullString()
	r.Path = path
	r.Data = cloneBuffer(d.Buffer())
	r.ACL = decodeACL(d)
	r.Flags = d.Int()
	if d.Err() != nil || !ok {
		return jute.ErrMarshalling
	}
	return jute.ErrOk
}

// cloneBuffer copies what must outlive the input; nil stays nil.
func cloneBuffer(b []byte) []byte {
	if b == nil {
		return nil
	}
	return append(make([]byte, 0, len(b)), b...)
}

// worldAnyone is how the ACL that nearly all requests have looks on the wire.
var worldAnyone = jute.AppendACLs(nil, tree.WorldAnyone())

// decodeACL reads a vector of ACL; the common one is not read but recognised.
func decodeACL(d *jute.Decoder) []jute.ACL {
	if rest := d.Rest(); d.Err() == nil && bytes.HasPrefix(rest, worldAnyone) {
		*d = jute.NewDecoder(rest[len(worldAnyone):])
		return tree.WorldAnyone()
	}
	return d.ACLs()
}
