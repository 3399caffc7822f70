// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zkserver/internal/tree"
)

// closeSessionHandler ends the session and removes its ephemeral nodes in one
// transaction. The connection is closed behind the reply.
var closeSessionHandler = handler{
	write: func(*jute.Decoder, *tree.Request) jute.ErrCode { return jute.ErrOk },
	short: "CLOS",
}
