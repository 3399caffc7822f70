// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zkserver/internal/tree"
)

var setWatchesHandler = handler{read: readSetWatches, watches: true, short: "SETW"}

func readSetWatches(rd *reading, b []byte) ([]byte, jute.ErrCode) {
	var r jute.SetWatchesRequest
	r.Decode(&rd.d)
	if rd.d.Err() != nil {
		return b, jute.ErrMarshalling
	}
	return rd.setWatches(b, &r), jute.ErrOk
}

// seen returns what a client can have seen of the data that is there, by the last
// zxid that it has seen: nothing, if that is of a life whose data is not there any
// more, because older data was put back.
func (s *Server) seen(last int64) int64 {
	if s.kept < last && last < s.first {
		return 0
	}
	return last
}

// catchUp is the zxid in the header of an event that happened at an unknown
// time.
const catchUp = -1

// setWatches leaves one-shot watches again after a reconnection, and puts the
// events of those that would have fired meanwhile in front of the reply that b
// ends with. Of a node that the connection may not read nothing is told: its
// watches are left, whatever has become of it meanwhile, as if it were quiet.
func (rd *reading) setWatches(b []byte, r *jute.SetWatchesRequest) []byte {
	const size = lengthSize + jute.ReplyHeaderSize
	header := [size]byte(b[len(b)-size:])
	last := rd.conn.srv.seen(r.RelativeZxid)
	b = b[:len(b)-size]
	event := func(t jute.EventType, path string) { b = appendEvent(b, t, path, catchUp) }
	may := func(n *tree.Node) bool { return tree.Allowed(n.ACL, jute.PermRead, rd.conn.identities()) }
	for _, path := range r.Data {
		switch n := rd.view.Get(path); {
		case n == nil:
			event(jute.EventNodeDeleted, path)
		case n.Mzxid() > last && may(n):
			event(jute.EventNodeDataChanged, path)
		default:
			rd.conn.watchData(path, oneShot)
		}
	}
	for _, path := range r.Exist {
		if n := rd.view.Get(path); n != nil && may(n) {
			event(jute.EventNodeCreated, path)
		} else {
			rd.conn.watchData(path, oneShot)
		}
	}
	for _, path := range r.Child {
		switch n := rd.view.Get(path); {
		case n == nil:
			event(jute.EventNodeDeleted, path)
		case n.Pzxid() > last && may(n):
			event(jute.EventNodeChildrenChanged, path)
		default:
			rd.conn.watchChildren(path, oneShot)
		}
	}
	rd.start = len(b)
	return append(b, header[:]...)
}

var setWatches2Handler = handler{read: readSetWatches2, watches: true, short: "STW2"}

func readSetWatches2(rd *reading, b []byte) ([]byte, jute.ErrCode) {
	var r jute.SetWatches2Request
	r.Decode(&rd.d)
	if rd.d.Err() != nil {
		return b, jute.ErrMarshalling
	}
	b = rd.setWatches(b, &r.SetWatchesRequest)
	for _, path := range r.Persistent {
		rd.conn.watchPersistent(path)
	}
	for _, path := range r.PersistentRecursive {
		rd.conn.watchData(path, recursive)
	}
	return b, jute.ErrOk
}
