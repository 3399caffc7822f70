// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zkserver/internal/tree"
)

var create2Handler = handler{
	write: decodeCreate,
	reply: appendOutcomePathStat,
	short: "CREA",
}

func appendOutcomePathStat(b []byte, out *tree.Outcome) []byte {
	return out.Stat.Append(jute.AppendString(b, out.Path))
}
