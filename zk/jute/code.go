// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package jute

import "strconv"

// An OpCode says what a request asks for (ZooDefs.OpCode).
type OpCode int32

// The operation codes that are built.
const (
	OpNotification         OpCode = 0 // server to client only
	OpCreate               OpCode = 1
	OpDelete               OpCode = 2
	OpExists               OpCode = 3
	OpGetData              OpCode = 4
	OpSetData              OpCode = 5
	OpGetACL               OpCode = 6
	OpSetACL               OpCode = 7
	OpGetChildren          OpCode = 8
	OpSync                 OpCode = 9
	OpPing                 OpCode = 11
	OpGetChildren2         OpCode = 12
	OpCheck                OpCode = 13 // only inside a multi
	OpMulti                OpCode = 14
	OpCreate2              OpCode = 15
	OpReconfig             OpCode = 16
	OpCheckWatches         OpCode = 17
	OpRemoveWatches        OpCode = 18
	OpCreateContainer      OpCode = 19
	OpCreateTTL            OpCode = 21
	OpMultiRead            OpCode = 22
	OpAuth                 OpCode = 100
	OpSetWatches           OpCode = 101
	OpSASL                 OpCode = 102
	OpGetEphemerals        OpCode = 103
	OpGetAllChildrenNumber OpCode = 104
	OpSetWatches2          OpCode = 105
	OpAddWatch             OpCode = 106
	OpWhoAmI               OpCode = 107
	OpCloseSession         OpCode = -11
	OpError                OpCode = -1 // the result of a failed operation inside a multi
)

// String returns ZooKeeper's name of the operation, or its number.
func (c OpCode) String() string {
	if op, ok := Lookup(c); ok {
		return op.Name
	}
	return "op " + strconv.Itoa(int(c))
}

// The transaction ids (xid) with a meaning of their own.
const (
	XidNotification int32 = -1
	XidPing         int32 = -2
	XidAuth         int32 = -4
	XidSetWatches   int32 = -8
)

// An ErrCode is the outcome in a reply header (KeeperException.Code).
type ErrCode int32

// The error codes that a single server sends.
const (
	ErrOk                      ErrCode = 0
	ErrRuntimeInconsistency    ErrCode = -2 // in a failed multi: operations behind the failing one
	ErrMarshalling             ErrCode = -5
	ErrUnimplemented           ErrCode = -6
	ErrBadArguments            ErrCode = -8
	ErrNoNode                  ErrCode = -101
	ErrNoAuth                  ErrCode = -102
	ErrBadVersion              ErrCode = -103
	ErrNoChildrenForEphemerals ErrCode = -108
	ErrNodeExists              ErrCode = -110
	ErrNotEmpty                ErrCode = -111
	ErrSessionExpired          ErrCode = -112
	ErrInvalidACL              ErrCode = -114
	ErrAuthFailed              ErrCode = -115
	ErrSessionMoved            ErrCode = -118
	ErrNoWatcher               ErrCode = -121
	ErrReconfigDisabled        ErrCode = -123
	ErrQuotaExceeded           ErrCode = -125
)

var errNames = map[ErrCode]string{
	ErrOk:                      "ok",
	ErrRuntimeInconsistency:    "runtime inconsistency",
	ErrMarshalling:             "marshalling error",
	ErrUnimplemented:           "unimplemented",
	ErrBadArguments:            "bad arguments",
	ErrNoNode:                  "no node",
	ErrNoAuth:                  "no auth",
	ErrBadVersion:              "bad version",
	ErrNoChildrenForEphemerals: "no children for ephemerals",
	ErrNodeExists:              "node exists",
	ErrNotEmpty:                "not empty",
	ErrSessionExpired:          "session expired",
	ErrInvalidACL:              "invalid ACL",
	ErrAuthFailed:              "auth failed",
	ErrSessionMoved:            "session moved",
	ErrNoWatcher:               "no watcher",
	ErrReconfigDisabled:        "reconfig disabled",
	ErrQuotaExceeded:           "quota exceeded",
}

// String returns the field's words for the code, or its number.
func (e ErrCode) String() string {
	if s, ok := errNames[e]; ok {
		return s
	}
	return "error " + strconv.Itoa(int(e))
}

// The flags of a create request (CreateMode).
const (
	FlagPersistent           int32 = 0
	FlagEphemeral            int32 = 1
	FlagPersistentSequential int32 = 2
	FlagEphemeralSequential  int32 = 3
	FlagContainer            int32 = 4 // with createContainer; with create: an ordinary node
	FlagTTL                  int32 = 5 // with createTTL only, like the next
	FlagTTLSequential        int32 = 6
)

// An EventType says what happened to a node (Watcher.Event.EventType).
type EventType int32

// The event types that a server sends.
const (
	EventNone                EventType = -1 // local to a client: the session changed
	EventNodeCreated         EventType = 1
	EventNodeDeleted         EventType = 2
	EventNodeDataChanged     EventType = 3
	EventNodeChildrenChanged EventType = 4
)

// String returns ZooKeeper's name of the event type, or its number.
func (t EventType) String() string {
	switch t {
	case EventNone:
		return "None"
	case EventNodeCreated:
		return "NodeCreated"
	case EventNodeDeleted:
		return "NodeDeleted"
	case EventNodeDataChanged:
		return "NodeDataChanged"
	case EventNodeChildrenChanged:
		return "NodeChildrenChanged"
	}
	return "event " + strconv.Itoa(int(t))
}

// StateSyncConnected is the state in every notification (Watcher.Event.KeeperState).
const StateSyncConnected int32 = 3

// The modes of addWatch (AddWatchMode).
const (
	WatchPersistent          int32 = 0
	WatchPersistentRecursive int32 = 1
)

// The watcher types of checkWatches and removeWatches (Watcher.WatcherType). The
// last two are known since ZooKeeper 3.9.
const (
	WatcherChildren            int32 = 1
	WatcherData                int32 = 2
	WatcherAny                 int32 = 3
	WatcherPersistent          int32 = 4
	WatcherPersistentRecursive int32 = 5
)

// The permission bits of an ACL entry (ZooDefs.Perms).
const (
	PermRead   int32 = 1
	PermWrite  int32 = 2
	PermCreate int32 = 4
	PermDelete int32 = 8
	PermAdmin  int32 = 16
	PermAll    int32 = 31
)

// AnyVersion in a request matches every version of a node.
const AnyVersion int32 = -1

// PasswordSize is the length of a session password in bytes.
const PasswordSize = 16
