// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zkserver/internal/tree"
)

var setACLHandler = handler{write: decodeSetACL, reply: appendOutcomeStat, short: "SETA"}

func decodeSetACL(d *jute.Decoder, r *tree.Request) jute.ErrCode {
	r.Path = d.String()
	r.ACL = decodeACL(d)
	r.Version = d.Int()
	if d.Err() != nil {
		return jute.ErrMarshalling
	}
	return jute.ErrOk
}
