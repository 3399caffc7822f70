// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zkserver/internal/tree"
)

// maxHandshake bounds the first frame, which holds 45 bytes and a password.
// Connections cost little memory before they have shown who they are.
const maxHandshake = 1024

// openHandler is for the item that begins a session.
var openHandler = handler{short: "SESS"}

// handshake reads the first frame and gives the connection a session, or serves
// a four-letter word. It reports whether requests follow.
func (c *conn) handshake() bool {
	// The deadline is the network's own: a turned clock does not cut handshakes.
	c.nc.SetReadDeadline(time.Now().Add(c.srv.opts.HandshakeTimeout)) //nolint:errcheck // it shows in the next read
	c.in.max = min(maxHandshake, c.srv.opts.MaxPacketBytes)
	payload, ok := c.first()
	if !ok {
		return false
	}
	c.srv.heard(c)
	c.readAt = c.srv.sessionNow()
	c.tally.received++
	c.tally.bytesReceived += int64(lengthSize + len(payload))
	var r jute.ConnectRequest
	d := jute.NewDecoder(payload)
	r.Decode(&d)
	if d.Err() != nil {
		c.srv.opts.Logger.Debug("handshake refused", slog.String("address", addressOf(c.nc.RemoteAddr())), slog.Any("error", d.Err()))
		c.srv.refused(c, RefusedInfo{Reason: RefusedHandshake, Err: d.Err()})
		return false
	}
	if last := c.srv.version.Load().Zxid(); r.LastZxidSeen > last {
		c.turnAway(&r, last)
		return false
	}
	if !c.join(&r) {
		return false
	}
	c.nc.SetReadDeadline(time.Time{}) //nolint:errcheck // it shows in the next read
	c.in.max = c.srv.opts.MaxPacketBytes
	return true
}

// first reads until the first frame is there.
func (c *conn) first() (payload []byte, ok bool) {
	for {
		if word, ok := c.in.peek(lengthSize); ok && isWord(string(word)) {
			c.serveWord(string(word))
			return nil, false
		}
		payload, ok, err := c.in.next()
		if err != nil {
			c.srv.refused(c, RefusedInfo{Reason: RefusedHandshake, Err: err})
		}
		if ok || err != nil {
			return payload, ok
		}
		if err := c.in.fill(); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				c.srv.stats.silent.Add(1)
				c.srv.refused(c, RefusedInfo{Reason: RefusedSilent})
			}
			return nil, false
		}
	}
}

// turnAway is for a client that has seen a later state than there is. That cannot come
// back, for nobody else has it: a client is told that its session has expired, and
// comes again with a new one. Who has no session is closed without a word, as
// ZooKeeper does.
func (c *conn) turnAway(r *jute.ConnectRequest, last int64) {
	c.srv.log.Warn("client has seen a later state than this server has, its session ends: was the data wiped or replaced by an older one, and the clock set back?",
		slog.String("address", addressOf(c.nc.RemoteAddr())), slog.String("client_zxid", Hex(r.LastZxidSeen).String()), slog.String("zxid", Hex(last).String()))
	c.srv.stats.ahead.Add(1)
	if r.SessionID != 0 {
		c.sendExpired(r)
	}
	c.srv.refused(c, RefusedInfo{Reason: RefusedAhead, Err: fmt.Errorf("zkserver: zxid %s: the last one is %s", Hex(r.LastZxidSeen), Hex(last))})
}

// sendExpired tells the client that there is no such session.
func (c *conn) sendExpired(r *jute.ConnectRequest) {
	c.sendConnectReply(&connectReply{jute.ConnectResponse{HasReadOnly: r.HasReadOnly, Password: make([]byte, jute.PasswordSize)}})
}

// join opens a session or attaches the connection to the one it asks for, and
// answers.
func (c *conn) join(r *jute.ConnectRequest) bool {
	s := c.srv
	s.stats.connected.Add(1)
	c.count()
	timeout := s.negotiate(r.TimeoutMillis)
	reply := &connectReply{jute.ConnectResponse{HasReadOnly: r.HasReadOnly}}
	opening := r.SessionID == 0
	if opening {
		c.session = s.newSession(c, timeout)
	} else {
		c.session = s.attach(c, r, timeout)
	}
	if c.session == nil {
		c.sendExpired(r)
		s.refused(c, RefusedInfo{Reason: RefusedSession})
		return false
	}
	password := s.password(c.session.id)
	reply.SessionID, reply.Password = c.session.id, password[:]
	reply.TimeoutMillis = int32(timeout.Milliseconds()) //nolint:gosec // bounded by check
	if opening {
		return c.openSession(reply)
	}
	c.sendConnectReply(reply)
	return true
}

// openSession has the owner begin the session, and waits until the reply is
// queued: only then other requests may follow.
func (c *conn) openSession(reply *connectReply) bool {
	done := make(chan bool, 1)
	c.out.add(1)
	it := item{
		conn: c, handler: &openHandler, reply: reply, done: done, readAt: c.srv.sessionNow(),
		req: tree.Request{Op: tree.OpOpenSession, Session: c.session.id, Version: reply.TimeoutMillis},
	}
	if !c.srv.queue.pushUrgent(it) {
		c.out.add(-1)
		c.srv.dropSession(c.session.id) // it has not begun, and so would never end
		return false
	}
	return <-done
}

func (c *conn) sendConnectReply(r *connectReply) {
	c.out.mu.Lock()
	if c.out.open() {
		before := len(c.out.buf)
		c.out.buf = appendConnectReply(c.out.buf, r)
		c.replied(reply{handler: &openHandler, zxid: c.srv.version.Load().Zxid()}, len(c.out.buf)-before)
	}
	c.out.mu.Unlock()
	c.count()
	c.out.flush()
}

func appendConnectReply(b []byte, r *connectReply) []byte { return jute.AppendFrame(b, r.Append) }
