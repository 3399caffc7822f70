// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import "github.com/rollcall-rpc/rollcall/zk/jute"

// pingHandler answers at once, ahead of writes that wait: clients take a late
// answer for a dead server. Whatever xid a ping has, its answer has XidPing.
var pingHandler = handler{local: func(c *conn, _ int32) bool {
	c.lock()
	defer c.unlock()
	if c.out.open() {
		zxid := c.srv.version.Load().Zxid()
		c.out.buf = appendReply(c.out.buf, jute.XidPing, zxid, jute.ErrOk)
		c.replied(reply{c.last.handler, jute.XidPing, zxid}, replySize)
	}
	return true
}, short: "PING"}
