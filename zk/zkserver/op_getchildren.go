// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zkserver/internal/tree"
)

var getChildrenHandler = handler{read: readChildren, flag: true, short: "GETC"}

func readChildren(rd *reading, b []byte) ([]byte, jute.ErrCode) {
	b, _, err := rd.children(b)
	return b, err
}

// children appends the names of a node's children and leaves the watch that is
// asked for.
func (rd *reading) children(b []byte) ([]byte, *tree.Node, jute.ErrCode) {
	n, path, watch, err := rd.nodeAndFlag()
	if err != 0 {
		return b, nil, err
	}
	if watch {
		rd.conn.watchChildren(string(path), oneShot)
	}
	return rd.view.AppendChildren(b, n), n, jute.ErrOk
}
