// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"bytes"

	"github.com/rollcall-rpc/rollcall/zk/jute"
)

var existsHandler = handler{read: readExists, flag: true, short: "EXIS"}

// readExists leaves its watch on a missing node too.
func readExists(rd *reading, b []byte) ([]byte, jute.ErrCode) {
	n, path, watch, err := rd.nodeAndFlag()
	if err == jute.ErrNoNode && bytes.IndexByte(path, 0) >= 0 {
		return b, jute.ErrBadArguments
	}
	if watch && (err == 0 || err == jute.ErrNoNode) {
		rd.conn.watchData(string(path), oneShot)
	}
	if err != 0 {
		return b, err
	}
	return n.AppendStat(b), jute.ErrOk
}
