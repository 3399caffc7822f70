// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import "github.com/rollcall-rpc/rollcall/zk/jute"

var getDataHandler = handler{read: readData, flag: true, short: "GETD"}

func readData(rd *reading, b []byte) ([]byte, jute.ErrCode) {
	n, path, watch, err := rd.nodeAndFlag()
	if err != 0 {
		return b, err
	}
	if watch {
		rd.conn.watchData(string(path), oneShot)
	}
	return n.AppendStat(jute.AppendBuffer(b, n.Data)), jute.ErrOk
}
