// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zkserver/internal/tree"
)

// reconfigHandler refuses what would change the members of an ensemble: a server
// of one node has none.
var reconfigHandler = handler{write: decodeReconfig, short: "RECO"}

func decodeReconfig(d *jute.Decoder, _ *tree.Request) jute.ErrCode {
	var r jute.ReconfigRequest
	r.Decode(d)
	if d.Err() != nil {
		return jute.ErrMarshalling
	}
	return jute.ErrOk
}
