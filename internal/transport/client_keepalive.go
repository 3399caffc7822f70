// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"encoding/binary"
	"time"

	"github.com/rollcall-rpc/rollcall/frame"
)

const (
	// ticksPerInterval is how finely the monitor looks at a keepalive interval,
	// so that an interval begins with the silence and not with a tick.
	ticksPerInterval = 3
	// silentIntervals are needed to call a peer silent: the first one's silence
	// is what the first PING asks about, the second one's is the answer.
	silentIntervals = 2
)

// monitor is a goroutine that watches the peer while calls are outstanding. It ends
// when none is and the peer is not silent, or with the connection: one at rest has no
// monitor.
func (c *ClientConn) monitor() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	tick := max(c.opts.KeepaliveInterval/ticksPerInterval, 1)
	fatal := max(c.opts.KeepaliveMisses, silentIntervals) * ticksPerInterval
	told, ticks, seen := false, 0, c.in.reads.Load()   // ticks of silence that count
	c.link.rest(time.Now())                            // since we fell asleep
	arrived, asked, since := c.arrived(), uint64(0), 0 // the last PING's end, and the ticks before it
	tell := func(silent bool) {
		if told != silent && c.opts.OnSilent != nil {
			c.opts.OnSilent(silent)
		}
		told = silent
	}
	for {
		due := time.Now().Add(tick)
		timer.Reset(tick)
		select {
		case <-c.done:
			return
		case <-timer.C:
		}
		late := time.Since(due) > tick/2
		reads, now := c.in.reads.Load(), c.arrived()
		if reads != seen {
			tell(false)
		}
		// Who was told of a silence waits to hear of its end: then nobody sleeps,
		// though no call is outstanding any more.
		if !told && c.fallAsleep() {
			return
		}
		if reads != seen { // one byte is enough: the peer's process reads and writes
			ticks, since, seen, arrived = 0, 0, reads, now
			continue
		}
		// A timer that fires late, and bytes that nobody has read yet, show that
		// it is we who were held up: that time proves nothing.
		if late || c.probe.unread() {
			continue
		}
		// Nobody can answer a PING that waits behind other bytes, also in the
		// socket; while these arrive, and until it does, its time does not run.
		if now > arrived {
			if arrived < asked {
				ticks = since // the PING was still on its way at the last tick
			}
			arrived = now
		}
		ticks++
		switch {
		case ticks >= fatal:
			c.die(ErrKeepalive)
			return
		case ticks >= silentIntervals*ticksPerInterval:
			tell(true)
		}
		// The next PING waits until the last one has arrived: on a slow link they
		// would pile up, and each move the end that is waited for.
		if ticks%ticksPerInterval == 0 && arrived >= asked {
			asked, since = c.ask(), ticks
		}
	}
}

// arrived returns the position of the end of what has reached the peer's kernel, or
// a lower one; where nobody can tell, of what is assumed to have.
func (c *ClientConn) arrived() uint64 {
	taken := c.out.taken.Load() // before what is taken meanwhile is counted among the unsent
	if n, known := c.unsent(); known {
		return taken - min(taken, n)
	}
	c.out.mu.Lock()
	confirmed := c.confirmed
	c.out.mu.Unlock()
	return c.link.look(time.Now(), taken, confirmed)
}

// keepalivePing is set in the ids of the monitor's PINGs. The rest is the position
// of the PING's end, so that its PONG tells what has arrived.
const keepalivePing = 1 << 63

// ask sends a PING, also where the outbox is full: few are under way at a time. It
// returns the position of its end.
func (c *ClientConn) ask() uint64 {
	c.out.mu.Lock()
	end := c.out.queued + frame.HeaderBytes + frame.PingBytes
	c.appendPing(keepalivePing | end)
	c.unlockAndFlush()
	return end
}

// fallAsleep reports that no call is outstanding; the next one starts a monitor.
func (c *ClientConn) fallAsleep() bool {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	if c.calls.count == 0 {
		c.sleeping = true
		c.rest()
	}
	return c.sleeping
}

// appendPing appends a PING with the id. out.mu is held.
func (c *ClientConn) appendPing(id uint64) {
	var payload [frame.PingBytes]byte
	binary.BigEndian.PutUint64(payload[:], id)
	c.out.appendFrame(frame.TypePing, 0, payload[:])
}
