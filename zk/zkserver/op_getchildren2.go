// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import "github.com/rollcall-rpc/rollcall/zk/jute"

var getChildren2Handler = handler{read: readChildren2, flag: true, short: "GETC"}

func readChildren2(rd *reading, b []byte) ([]byte, jute.ErrCode) {
	b, n, err := rd.children(b)
	if err != 0 {
		return b, err
	}
	return n.AppendStat(b), jute.ErrOk
}
