// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package tree

import "github.com/rollcall-rpc/rollcall/zk/jute"

// An Event says what happened to a node, for the watches on it. Created,
// deleted and data-changed events concern the node; a children-changed event
// concerns the list of its children.
type Event struct {
	Type jute.EventType
	Path string
	// ACL is the node's at the time: only who may read learns of the event. It
	// must not be changed.
	ACL []jute.ACL
}
