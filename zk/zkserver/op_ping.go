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
		c.out.buf = appendReply(c.out.buf, jute.XidPing, c.srv.version.Load().Zxid(), jute.ErrOk)
	}
	return true
}, short: "PING"}
