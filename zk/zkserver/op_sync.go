// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import "github.com/rollcall-rpc/rollcall/zk/jute"

// syncHandler answers with the path, which need not exist, when all that was
// there before has been answered.
var syncHandler = handler{read: readSync, ordered: true, short: "SYNC"}

func readSync(rd *reading, b []byte) ([]byte, jute.ErrCode) {
	path, err := rd.path()
	if err != 0 {
		return b, err
	}
	return jute.AppendBuffer(b, path), jute.ErrOk
}
