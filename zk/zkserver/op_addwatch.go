// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import "github.com/rollcall-rpc/rollcall/zk/jute"

var addWatchHandler = handler{read: readAddWatch, watches: true, short: "ADDW"}

// readAddWatch leaves a watch that stays, on any path at all.
func readAddWatch(rd *reading, b []byte) ([]byte, jute.ErrCode) {
	path, err := rd.path()
	mode := rd.d.Int()
	switch {
	case err != 0 || rd.d.Err() != nil:
		return b, jute.ErrMarshalling
	case mode == jute.WatchPersistent:
		rd.conn.watchPersistent(string(path))
	case mode == jute.WatchPersistentRecursive:
		rd.conn.watchData(string(path), recursive)
	default:
		return b, jute.ErrMarshalling
	}
	return jute.AppendInt(b, 0), jute.ErrOk
}
