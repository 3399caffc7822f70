// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"encoding/binary"
	"time"

	"github.com/rollcall-rpc/rollcall/frame"
)

// ticksPerInterval is how finely the monitor looks at a keepalive interval, so
// that an interval begins with the silence and not with a tick.
const ticksPerInterval = 3

// monitor is a goroutine that watches the peer while calls are outstanding.
func (c *ClientConn) monitor() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-c.done:
			return
		case <-c.kick:
			c.watch(timer)
		}
	}
}

// watch returns when no call is outstanding, or with the connection.
func (c *ClientConn) watch(timer *time.Timer) {
	tick := max(c.opts.KeepaliveInterval/ticksPerInterval, 1)
	// The first interval's silence is what the first PING asks about, so fewer
	// than two intervals prove nothing.
	fatal := max(c.opts.KeepaliveMisses, 2) * ticksPerInterval
	silent, seen := 0, c.in.reads.Load()
	for {
		due := time.Now().Add(tick)
		timer.Reset(tick)
		select {
		case <-c.done:
			return
		case <-timer.C:
		}
		// A timer that fires late shows that we ourselves were held up; the
		// peer's bytes may be waiting for our reader.
		late := time.Since(due) > tick/2
		if c.fallAsleep() {
			return
		}
		switch reads := c.in.reads.Load(); {
		case reads != seen:
			silent, seen = 0, reads
			continue
		case late:
			continue
		}
		silent++
		if silent >= fatal {
			c.die(ErrKeepalive)
			return
		}
		if silent%ticksPerInterval == 0 {
			c.out.mu.Lock()
			if !c.out.full() {
				c.appendPing(0)
			}
			c.unlockAndFlush()
		}
	}
}

// fallAsleep reports that no call is outstanding; the next one kicks.
func (c *ClientConn) fallAsleep() bool {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	if c.calls.count == 0 {
		c.sleeping = true
	}
	return c.sleeping
}

// appendPing appends a PING with the id. out.mu is held.
func (c *ClientConn) appendPing(id uint64) {
	var payload [frame.PingBytes]byte
	binary.BigEndian.PutUint64(payload[:], id)
	c.out.appendFrame(frame.TypePing, 0, payload[:])
}
