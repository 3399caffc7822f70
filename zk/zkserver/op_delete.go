// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zkserver/internal/tree"
)

var deleteHandler = handler{write: decodeDelete, short: "DELE"}

func decodeDelete(d *jute.Decoder, r *tree.Request) jute.ErrCode {
	path, ok := d.NullString()
	r.Path, r.Version = path, d.Int()
	if d.Err() != nil || !ok {
		return jute.ErrMarshalling
	}
	return jute.ErrOk
}
