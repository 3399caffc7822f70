// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import "github.com/rollcall-rpc/rollcall/zk/jute"

var removeWatchesHandler = handler{read: readRemoveWatches, watches: true, short: "REMW"}

func readRemoveWatches(rd *reading, b []byte) ([]byte, jute.ErrCode) {
	path, data, child, err := rd.watcher()
	if err == 0 && !rd.conn.unwatch(path, data, child) {
		err = jute.ErrNoWatcher
	}
	return b, err
}
