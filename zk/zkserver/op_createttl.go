// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zkserver/internal/tree"
)

// createTTLHandler creates a node with a time to live, see reaper and
// [Options.ExtendedTypes].
var createTTLHandler = handler{
	write: decodeCreateTTL,
	reply: appendOutcomePathStat,
	short: "CREA",
}

func decodeCreateTTL(d *jute.Decoder, r *tree.Request) jute.ErrCode {
	err := decodeCreate(d, r)
	r.TTL = d.Long()
	if d.Err() != nil {
		return jute.ErrMarshalling
	}
	return err
}
