// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

// A traffic is what the four-letter words tell of one connection. It is guarded
// by outbox.mu.
type traffic struct {
	received, sent int64
	latency        spread // in ns
	last           reply
	at             int64 // session time of the last reply
}

// A reply is what is remembered of one.
type reply struct {
	handler *handler // nil: there was none
	xid     int32
	zxid    int64
}

// replied counts a reply that the reader has queued itself. Called on the
// reader's goroutine.
func (c *conn) replied(r reply, size int) {
	c.inline++
	c.last = r
	c.tally.sizes.add(int64(size))
}

// count adds up what the reader has done since its last read.
func (c *conn) count() {
	now := c.srv.sessionNow()
	took := now - c.readAt
	c.out.mu.Lock()
	c.traffic.received += c.tally.received
	if c.inline > 0 {
		c.traffic.sent += c.inline
		c.traffic.latency.addTimes(took, c.inline)
		c.traffic.last, c.traffic.at = c.last, now
	}
	c.out.mu.Unlock()
	c.tally.sent += c.inline
	c.tally.reads.addTimes(took, c.inline)
	c.inline = 0
	c.srv.stats.add(&c.tally)
}

// replied counts a reply of the owner. Called with outbox.mu held.
func (o *owner) replied(it *item, r reply, size int, now int64) {
	t, took := &it.conn.traffic, now-it.readAt
	t.sent++
	t.latency.add(took)
	t.last, t.at = r, now
	o.tally.sent++
	o.tally.sizes.add(int64(size))
	if it.view != nil {
		o.tally.reads.add(took)
	} else {
		o.tally.writes.add(took)
	}
}
