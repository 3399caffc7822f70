// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"time"
)

// A SessionState is that of one session.
type SessionState struct {
	ID         Hex       `json:"id"`
	Peer       string    `json:"peer,omitempty"` // of its connection; empty: it has none now
	TimeoutMS  int64     `json:"timeout_ms"`     // negotiated
	ExpiresAt  time.Time `json:"expires_at"`     // if nothing is heard of it until then
	Ephemerals int       `json:"ephemerals"`     // nodes that it owns
}

// A ConnectionState is that of one connection. Its counts are those since the
// connection was made or the word crst was sent.
type ConnectionState struct {
	Peer        string    `json:"peer"`
	ConnectedAt time.Time `json:"connected_at"`
	SessionID   Hex       `json:"session_id"` // 0: it has none yet
	TimeoutMS   int64     `json:"timeout_ms"` // of the session

	Queued   int   `json:"queued"`   // requests that wait for the owner
	Received int64 `json:"received"` // packets from the client
	Sent     int64 `json:"sent"`     // packets to the client

	LastOp   string `json:"last_op,omitempty"` // that was answered, in four letters as PING; empty: none
	LastXid  int32  `json:"last_xid"`          // its number; those that are not positive are no numbers
	LastZxid Hex    `json:"last_zxid"`         // in its reply; -1: none
	// LastReplyMS is when that was, in milliseconds since the server was made
	// during which the process did not stand still.
	LastReplyMS int64        `json:"last_reply_ms"`
	Latency     MeasureState `json:"latency"`
}

// addressOf returns a network address as text.
func addressOf(a net.Addr) string { return fmt.Sprint(a) }

// addresses returns where the server is served, and the greatest TCP port.
func (s *Server) addresses() (list []string, port int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list, port = []string{}, -1
	for sv := range s.serves {
		addr := sv.listener.Addr()
		list = append(list, addressOf(addr))
		if addr, ok := addr.(*net.TCPAddr); ok {
			port = max(port, addr.Port)
		}
	}
	slices.Sort(list)
	return list, port
}

// sessionStates returns the sessions in the order of their ids.
func (s *Server) sessionStates() []SessionState {
	t := s.version.Load()
	s.mu.Lock()
	list := make([]SessionState, 0, len(s.sessions))
	for id, sess := range s.sessions {
		timeout := time.Duration(sess.timeout.Load())
		left := timeout - time.Duration(s.sessionNow()-sess.touched.Load())
		st := SessionState{ID: Hex(id), TimeoutMS: timeout.Milliseconds(), ExpiresAt: s.opts.Clock.Now().Add(left)}
		if c := sess.conn.Load(); c != nil {
			st.Peer = addressOf(c.nc.RemoteAddr())
		}
		list = append(list, st)
	}
	s.mu.Unlock()
	for i := range list {
		list[i].Ephemerals = len(t.Ephemerals(int64(list[i].ID)))
	}
	slices.SortFunc(list, func(a, b SessionState) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

// connectionStates returns the connections, the oldest first.
func (s *Server) connectionStates() []ConnectionState {
	s.mu.Lock()
	conns := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		conns = append(conns, c)
	}
	of := make(map[*conn]*session, len(s.sessions))
	for _, sess := range s.sessions {
		if c := sess.conn.Load(); c != nil {
			of[c] = sess
		}
	}
	s.mu.Unlock()
	list := make([]ConnectionState, len(conns))
	for i, c := range conns {
		list[i] = c.state(of[c])
	}
	slices.SortFunc(list, func(a, b ConnectionState) int {
		return cmp.Or(a.ConnectedAt.Compare(b.ConnectedAt), cmp.Compare(a.Peer, b.Peer))
	})
	return list
}

// state returns what there is to tell of a connection and its session, if any.
func (c *conn) state(sess *session) ConnectionState {
	c.out.mu.Lock()
	t, queued := c.traffic, c.out.pending
	c.out.mu.Unlock()
	st := ConnectionState{
		Peer: addressOf(c.nc.RemoteAddr()), ConnectedAt: time.UnixMilli(c.since),
		Queued: queued, Received: t.received, Sent: t.sent,
		LastZxid: -1, LastXid: t.last.xid, LastReplyMS: t.at / int64(time.Millisecond), Latency: t.latency.state(),
	}
	if t.last.handler != nil {
		st.LastOp, st.LastZxid = t.last.handler.short, Hex(t.last.zxid)
	}
	if sess != nil {
		st.SessionID, st.TimeoutMS = Hex(sess.id), time.Duration(sess.timeout.Load()).Milliseconds()
	}
	return st
}
