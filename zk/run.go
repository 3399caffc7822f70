// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/rollcall-rpc/rollcall/internal/pause"
	"github.com/rollcall-rpc/rollcall/zk/jute"
)

// credentials are what a client presents to have its session back. Only the
// goroutine of run knows them.
type credentials struct {
	id       int64 // 0: none
	password []byte
	timeout  time.Duration // as settled, or as asked for
	lostAt   time.Time     // when there was last a connection
}

// run keeps the session alive until the client is closed: the one goroutine
// that owns the connection, and its reader.
func (c *Client) run(ctx context.Context, h *hosts) {
	defer close(c.done)
	cred := credentials{timeout: c.opts.SessionTimeout, lostAt: time.Now()}
	probe, failed := false, 0
	for {
		err := c.attempt(ctx, h, &cred, probe)
		switch {
		case ctx.Err() != nil || c.refused():
			c.end(ErrClosed, StateClosed)
			return
		case errors.Is(err, ErrAuthFailed):
			c.log.Error("zookeeper authentication failed", "error", err)
			c.end(err, StateAuthFailed)
			return
		case errors.Is(err, errExpired):
			continue // the same server, which answers, at once, for a new session
		}
		now := time.Now()
		h.ended(errors.Is(err, errSilent), now)
		// What refuses the session but grants a new one has proven the old one
		// useless; what is silent to both is only not serving, and may be about to. So
		// every other attempt still asks for the old one.
		probe = !probe && cred.id != 0 && h.unwanted(cred.timeout, now)
		failed++
		if c.disconnected(err, &cred, now) {
			failed = 0
			c.log.Info("zookeeper connection lost", "error", err)
		} else {
			c.logFailed(err, failed, h.list)
		}
		pause.For(ctx, h.pause()) //nolint:errcheck // the next attempt fails with it
	}
}

// logFailed tells of an attempt to connect that failed. An operator is told once
// in a row, when no server has let us in; the attempts go on for ever.
func (c *Client) logFailed(err error, failed int, servers []string) {
	level := slog.LevelDebug
	if failed == len(servers) {
		level = slog.LevelInfo
	}
	c.log.Log(context.Background(), level, "zookeeper does not answer, trying on", "servers", strings.Join(servers, ","), "error", err)
}

var errExpired = errors.New("zk: the server has ended the session")

// attempt tries one server and, where that works, stays until the connection
// ends. With probe it asks for a new session though there is an old one.
func (c *Client) attempt(ctx context.Context, h *hosts, cred *credentials, probe bool) error {
	server := h.pick()
	req := jute.ConnectRequest{
		TimeoutMillis: int32(c.opts.SessionTimeout / time.Millisecond), //nolint:gosec // check bounds it
		Password:      make([]byte, jute.PasswordSize),
		HasReadOnly:   true,
	}
	if cred.id != 0 && !probe {
		req.SessionID, req.Password, req.LastZxidSeen = cred.id, cred.password, c.zxid()
	}
	// One bound for all of it: a server that accepts and says nothing costs no more
	// time than one that is not there.
	dialCtx, cancel := context.WithTimeout(ctx, c.opts.ConnectTimeout)
	cn, resp, err := c.dial(dialCtx, server, req)
	cancel()
	switch {
	case errors.Is(err, errExpired) && req.SessionID == 0:
		return fmt.Errorf("%s: %w: handshake: no session was granted", server, ErrProtocol)
	case errors.Is(err, errExpired):
		c.expired(cred)
		return err
	case err != nil:
		return fmt.Errorf("%s: %w", server, err)
	}
	// A probe was granted another session: told before it is used, so that nobody
	// takes the one for the other.
	if cred.id != 0 && resp.SessionID != cred.id {
		c.expired(cred)
	}
	h.established()
	err = c.serve(ctx, cn, server, resp, cred)
	cred.lostAt = time.Now()
	return fmt.Errorf("%s: %w", server, err)
}

// serve reads a connection until it ends.
func (c *Client) serve(ctx context.Context, cn *conn, server string, resp jute.ConnectResponse, cred *credentials) error {
	fresh := resp.SessionID != cred.id
	*cred = credentials{
		id:       resp.SessionID,
		password: resp.Password,
		timeout:  time.Duration(resp.TimeoutMillis) * time.Millisecond,
	}
	// Of a server that is silent a third of the timeout is left to find another one
	// before the session ends. What keeps it from being silent is a ping in each third.
	cn.idle = max(cred.timeout*2/3, time.Millisecond)
	c.connected(server, cred, fresh)
	ended := make(chan struct{})
	wrote := make(chan error, 1)
	go func() { wrote <- c.write(cn, max(cred.timeout/3, time.Millisecond), ended) }()
	stop := context.AfterFunc(ctx, func() {
		cn.Close() // the client is being closed
	})
	err := c.read(cn)
	stop()
	cn.Close() // err says more
	close(ended)
	// The writer closes the connection when it fails: what the reader has to say then
	// is a consequence.
	if werr := <-wrote; werr != nil && errors.Is(err, net.ErrClosed) {
		err = werr
	}
	return err
}

// read handles what the server sends, until the connection ends.
func (c *Client) read(cn *conn) error {
	for {
		h, body, err := cn.readReply(c.opts.MaxPacketBytes)
		if err != nil {
			return err
		}
		switch h.Xid {
		case jute.XidPing:
		case jute.XidNotification:
			err = c.notify(h, body)
		case jute.XidAuth:
			err = fmt.Errorf("%w: an answer to an authentication that was not asked for", ErrProtocol)
		default:
			err = c.answer(h, body)
		}
		if err != nil {
			return err
		}
	}
}

func (c *Client) notify(h jute.ReplyHeader, body []byte) error {
	var ev jute.WatcherEvent
	d := jute.NewDecoder(body)
	ev.Decode(&d)
	if err := d.Err(); err != nil {
		return fmt.Errorf("%w: notification: %w", ErrProtocol, err)
	}
	// The other numbers are of the session and of watches that were removed.
	if ev.Type < jute.EventNodeCreated || ev.Type > jute.EventNodeChildrenChanged {
		return nil // nobody here can have asked for it
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watches.fire(Event{Type: EventType(ev.Type), Path: ev.Path, Zxid: h.Zxid})
	return nil
}

// answer hands an answer to the oldest request that waits for one.
func (c *Client) answer(h jute.ReplyHeader, body []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.pending) == 0 {
		return fmt.Errorf("%w: an answer with xid %d, none is expected", ErrProtocol, h.Xid)
	}
	r := c.pending[0]
	if r.xid != h.Xid {
		return fmt.Errorf("%w: an answer with xid %d, xid %d is expected", ErrProtocol, h.Xid, r.xid)
	}
	c.pending[0] = nil
	c.pending = c.pending[1:]
	// Notifications do not count: of several caused by one transaction the last
	// may be on its way still, and setWatches has to ask for it then.
	c.lastZxid = max(c.lastZxid, h.Zxid)
	if r.answered != nil {
		r.answered(h.Err)
	}
	err := errOf(h.Err)
	if err != nil {
		err = r.failure(true, err)
	}
	r.finish(body, err)
	if err != nil && r.xid == jute.XidSetWatches {
		return err // without its watches a connection is of no use
	}
	return nil
}

// connected notes a confirmed session and lets the writer begin with the
// watches, so that they are armed before any request that waits.
func (c *Client) connected(server string, cred *credentials, fresh bool) {
	c.log.Info("zookeeper connected", "server", server, "session_id", sessionID(cred.id), "timeout", cred.timeout.String(), "new", fresh)
	c.mu.Lock()
	defer c.mu.Unlock()
	// In front of what waits: a read that comes first could be answered with news
	// whose event is still to be asked for.
	batches, armed := c.watches.batches(c.lastZxid)
	waiting := c.queue.list
	c.queue.list = nil
	c.push(c.armRequests(batches, armed)...)
	c.push(waiting...)
	c.updateSession(func(s *Session) {
		if fresh {
			s.Generation++
		}
		s.State, s.ID, s.Timeout, s.Server, s.LastErr = StateConnected, cred.id, cred.timeout, server, nil
	})
}

// disconnected notes the end of a connection or of an attempt, and reports
// whether it was a connection. What was written has failed, and so has what was
// meant for that connection only.
func (c *Client) disconnected(err error, cred *credentials, now time.Time) (lost bool) {
	if cred.id != 0 && now.Sub(cred.lostAt) > cred.timeout {
		err = fmt.Errorf("zk: no connection for %v, the session has probably expired: %w", now.Sub(cred.lostAt), err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	lost = c.session.State == StateConnected
	c.dropConnection(ErrConnectionLoss)
	c.updateSession(func(s *Session) {
		if s.State == StateConnected {
			s.State = StateConnecting
		}
		s.Server, s.LastErr = "", err
	})
	return lost
}

// dropConnection fails the requests that no connection will answer any more.
// c.mu is held.
func (c *Client) dropConnection(err error) {
	pending := c.pending
	c.pending = nil
	for _, r := range pending {
		r.finish(nil, r.failure(true, err))
	}
	c.queue.keep(func(r *request) bool {
		if r.internal {
			r.finish(nil, r.failure(false, err))
		}
		return !r.internal
	})
}

// expired notes that the session is gone.
func (c *Client) expired(cred *credentials) {
	c.log.Warn("zookeeper session expired", "session_id", sessionID(cred.id))
	*cred = credentials{timeout: c.opts.SessionTimeout}
	c.mu.Lock()
	defer c.mu.Unlock()
	// The next session may be one of a registry that was wiped and counts from the
	// start: it would not have a client that has seen more.
	c.lastZxid = 0
	c.watches.expire(ErrSessionExpired)
	c.updateSession(func(s *Session) { s.State, s.ID, s.Server, s.LastErr = StateExpired, 0, "", ErrSessionExpired })
}

// end ends everything: no call is possible from now on.
func (c *Client) end(err error, state State) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refusal == nil { // else Close was first, and its reason stays
		c.refuse(err)
	}
	c.dropConnection(c.refusal)
	c.watches.end(c.refusal)
	c.updateSession(func(s *Session) { s.State, s.Server, s.LastErr = state, "", err })
}

func sessionID(id int64) string { return fmt.Sprintf("%#x", uint64(id)) } //nolint:gosec // the bits are shown

func (c *Client) zxid() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lastZxid
}

func (c *Client) refused() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.refusal != nil
}
