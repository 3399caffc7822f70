// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import "github.com/rollcall-rpc/rollcall/zk/jute"

// saslHandler answers a client that begins to authenticate by SASL as ZooKeeper
// does where no mechanism is configured: without an error and without a token,
// which clients take for a failure. Nothing has been proven by it. What cannot be
// decoded, or holds no token, ends the connection.
var saslHandler = handler{local: answerSASL, short: "SASL"}

// maxSASL is how many of these a connection may send: the mechanisms that there are
// end after a few, and there are clients that go on for ever if they are told neither
// that they are known nor that they are not.
const maxSASL = 16

func answerSASL(c *conn, xid int32) bool {
	var r jute.SASLToken
	r.Decode(&c.rd.d)
	c.settle()
	if c.rd.d.Err() != nil || r.Token == nil {
		return false
	}
	if c.sasl++; c.sasl > maxSASL {
		return c.unproven(xid, true)
	}
	none := jute.SASLToken{}
	c.out.mu.Lock()
	if c.out.open() {
		start := len(c.out.buf)
		c.out.buf = endReply(none.Append(beginReply(c.out.buf, xid, 0)), start, jute.ErrOk)
		c.replied(reply{c.last.handler, xid, 0}, len(c.out.buf)-start)
	}
	c.out.mu.Unlock()
	return true
}
