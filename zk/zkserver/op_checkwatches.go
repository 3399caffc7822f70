// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import "github.com/rollcall-rpc/rollcall/zk/jute"

var checkWatchesHandler = handler{read: readCheckWatches, watches: true, short: "CHKW"}

// readCheckWatches tells whether the connection has a watch of a type on exactly
// that path.
func readCheckWatches(rd *reading, b []byte) ([]byte, jute.ErrCode) {
	path, data, child, err := rd.watcher()
	if err == 0 && !rd.conn.hasWatch(path, data, child) {
		err = jute.ErrNoWatcher
	}
	return b, err
}

// watcher decodes a path and a type of watch, and returns the modes that the
// type stands for.
func (rd *reading) watcher() (path string, data, child watchMode, err jute.ErrCode) {
	raw, err := rd.path()
	kind := rd.d.Int()
	if err != 0 || rd.d.Err() != nil {
		return "", 0, 0, jute.ErrMarshalling
	}
	switch kind {
	case jute.WatcherChildren:
		child = oneShot
	case jute.WatcherData:
		data = oneShot
	case jute.WatcherAny:
		data, child = everyMode, everyMode
	case jute.WatcherPersistent:
		data, child = persistent, persistent
	case jute.WatcherPersistentRecursive:
		data = recursive
	default:
		return "", 0, 0, jute.ErrMarshalling
	}
	return string(raw), data, child, jute.ErrOk
}
