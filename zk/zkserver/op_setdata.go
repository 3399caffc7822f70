// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zkserver/internal/tree"
)

var setDataHandler = handler{write: decodeSetData, reply: appendOutcomeStat, short: "SETD"}

func decodeSetData(d *jute.Decoder, r *tree.Request) jute.ErrCode {
	r.Path = d.String()
	r.Data = cloneBuffer(d.Buffer())
	r.Version = d.Int()
	if d.Err() != nil {
		return jute.ErrMarshalling
	}
	return jute.ErrOk
}

func appendOutcomeStat(b []byte, out *tree.Outcome) []byte { return out.Stat.Append(b) }
