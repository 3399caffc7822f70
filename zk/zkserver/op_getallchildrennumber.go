// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import "github.com/rollcall-rpc/rollcall/zk/jute"

var getAllChildrenNumberHandler = handler{read: readAllChildrenNumber, short: "GETACN"}

// readAllChildrenNumber counts the nodes below one. It takes time in proportion
// to their number, as in ZooKeeper.
func readAllChildrenNumber(rd *reading, b []byte) ([]byte, jute.ErrCode) {
	n, _, err := rd.node(jute.PermRead)
	if err != 0 {
		return b, err
	}
	total := rd.view.NumDescendants(n)
	return jute.AppendInt(b, int32(total)), jute.ErrOk //nolint:gosec // as many nodes do not fit in memory
}
