// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import "github.com/rollcall-rpc/rollcall/zk/jute"

// The watcher types that ZooKeeper 3.9 added (Watcher.WatcherType).
const (
	watcherPersistent          int32 = 4
	watcherPersistentRecursive int32 = 5
)

var removeWatchesHandler = handler{read: readRemoveWatches, watches: true}

func readRemoveWatches(rd *reading, b []byte) ([]byte, jute.ErrCode) {
	raw, err := rd.path()
	kind := rd.d.Int()
	if err != 0 || rd.d.Err() != nil {
		return b, jute.ErrMarshalling
	}
	const every = oneShot | persistent | recursive
	var data, child watchMode
	switch kind {
	case jute.WatcherChildren:
		child = oneShot
	case jute.WatcherData:
		data = oneShot
	case jute.WatcherAny:
		data, child = every, every
	case watcherPersistent:
		data, child = persistent, persistent
	case watcherPersistentRecursive:
		data = recursive
	default:
		return b, jute.ErrMarshalling
	}
	if !rd.conn.unwatch(string(raw), data, child) {
		return b, jute.ErrNoWatcher
	}
	return b, jute.ErrOk
}
