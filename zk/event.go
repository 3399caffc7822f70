// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zk

import (
	"strconv"

	"github.com/rollcall-rpc/rollcall/zk/jute"
)

// An EventType says what a watch has seen.
type EventType int32

// The types of events. The first four come from the server and have its numbers.
const (
	NodeCreated         = EventType(jute.EventNodeCreated)
	NodeDeleted         = EventType(jute.EventNodeDeleted)
	NodeDataChanged     = EventType(jute.EventNodeDataChanged)
	NodeChildrenChanged = EventType(jute.EventNodeChildrenChanged)

	// Rearmed, for persistent watches: the connection or the session was lost in
	// between and the watch is armed again. Events may have been missed: read
	// everything again.
	Rearmed EventType = 100
	// Lost, for persistent watches: the reader was too slow and events were
	// dropped here. Same consequence as Rearmed.
	Lost EventType = 101
)

// String returns the name of the type.
func (t EventType) String() string {
	switch t {
	case NodeCreated, NodeDeleted, NodeDataChanged, NodeChildrenChanged:
		return jute.EventType(t).String()
	case Rearmed:
		return "Rearmed"
	case Lost:
		return "Lost"
	}
	return "event " + strconv.Itoa(int(t))
}

// An Event is what a watch delivers.
type Event struct {
	// Type is 0 where Err is set.
	Type EventType
	// Path is the node that was created, deleted or changed. For Rearmed and Lost,
	// and where Err is set, it is the path that is watched.
	Path string
	// Err is why a watch ended without what it waited for: ErrSessionExpired
	// (one-shot watches), ErrAuthFailed or ErrClosed.
	Err error
	// Zxid is the transaction behind the event. Servers before 3.9 do not tell it;
	// then, and for what is not caused by one transaction, it is -1.
	Zxid int64
}
