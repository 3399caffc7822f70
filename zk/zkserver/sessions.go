// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"net"
	"slices"
	"sync/atomic"
	"time"

	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zkserver/internal/tree"
)

// A session is what a live session has besides its entry in the tree.
type session struct {
	id      int64
	touched atomic.Int64 // session time of the last sign of life
	timeout atomic.Int64 // negotiated, in ns
	conn    atomic.Pointer[conn]
	latest  *conn         // guarded by Server.mu: that came on it last, unless it has left
	ending  bool          // guarded by Server.mu: its end is on the way
	ended   chan struct{} // closed when its end is published
}

func newSessionOf(id int64, timeout time.Duration) *session {
	sess := &session{id: id, ended: make(chan struct{})}
	sess.timeout.Store(int64(timeout))
	return sess
}

// disconnect closes the session's connection, if it has one.
func (sess *session) disconnect() bool {
	c := sess.conn.Swap(nil)
	if c == nil {
		return false
	}
	c.out.kill()
	return true
}

// SessionInfo describes a live session.
type SessionInfo struct {
	ID         int64
	Timeout    time.Duration // negotiated
	Remote     net.Addr      // of its connection; nil: it has none now
	Ephemerals int           // nodes that it owns
}

// Sessions returns the live sessions in the order of their ids.
func (s *Server) Sessions() []SessionInfo {
	t := s.version.Load()
	s.mu.Lock()
	defer s.mu.Unlock()
	infos := make([]SessionInfo, 0, len(s.sessions))
	for id, sess := range s.sessions {
		if _, begun := t.Session(id); !begun {
			continue
		}
		info := SessionInfo{ID: id, Timeout: time.Duration(sess.timeout.Load()), Ephemerals: len(t.Ephemerals(id))}
		if c := sess.conn.Load(); c != nil {
			info.Remote = c.nc.RemoteAddr()
		}
		infos = append(infos, info)
	}
	slices.SortFunc(infos, func(a, b SessionInfo) int { return cmp.Compare(a.ID, b.ID) })
	return infos
}

// ExpireSession ends a session as if its client had not been heard of for its
// timeout. When it returns, the session and its ephemeral nodes are gone. It
// returns false if there is no such session or nothing is served.
func (s *Server) ExpireSession(id int64) bool {
	s.mu.Lock()
	sess := s.sessions[id]
	s.mu.Unlock()
	if sess == nil {
		return false
	}
	done := make(chan bool, 1)
	it := expiry(sess)
	it.done = done
	return s.queue.pushUrgent(it) && <-done
}

// CutConnection closes the connection of a session, which lives on until its
// timeout. It returns false if there is no such session or it has no connection.
func (s *Server) CutConnection(id int64) bool {
	s.mu.Lock()
	sess := s.sessions[id]
	s.mu.Unlock()
	return sess != nil && sess.disconnect()
}

// sessionNow is the time that sessions live by: it only goes forward, and stands
// still while the process does.
func (s *Server) sessionNow() int64 {
	return int64(s.opts.Clock.Now().Sub(s.started)) - s.stalled.Load()
}

// negotiate returns the timeout that a client gets for the one it asks for.
func (s *Server) negotiate(askedMillis int32) time.Duration {
	asked := time.Duration(askedMillis) * time.Millisecond
	return min(max(asked, s.opts.MinSessionTimeout), s.opts.MaxSessionTimeout)
}

// newSession adds a session of connection c.
func (s *Server) newSession(c *conn, timeout time.Duration) *session {
	now := s.opts.Clock.Now()
	sess := newSessionOf(0, timeout)
	sess.touched.Store(s.sessionNow())
	sess.conn.Store(c)
	s.mu.Lock()
	defer s.mu.Unlock()
	// One byte for the server, 40 bits of ms, 16 bits of room: unique as long as
	// there are fewer than 65536 new sessions per ms, over restarts too. The epoch,
	// spread by Fibonacci hashing, keeps two servers apart that follow each other
	// within a ms.
	const millisMask, roomMask, spread = 1<<40 - 1, 1<<16 - 1, 40503
	s.lastSession = max(s.lastSession+1, 1<<56|now.UnixMilli()&millisMask<<16|s.opts.Epoch*spread&roomMask)
	sess.id = s.lastSession
	sess.latest = c
	s.sessions[sess.id] = sess
	return sess
}

// attach makes c the connection of a live session and returns it, or nil if
// there is none or the password is wrong, which takes longer and longer, see
// guesses. An earlier connection is closed.
func (s *Server) attach(c *conn, r *jute.ConnectRequest, timeout time.Duration) *session {
	password := s.password(r.SessionID)
	if !hmac.Equal(password[:], r.Password) {
		if s.lives(r.SessionID) {
			c.guessSession()
		}
		return nil
	}
	s.mu.Lock()
	sess := s.sessions[r.SessionID]
	if sess == nil || sess.ending {
		s.mu.Unlock()
		s.awaitEnd(sess)
		return nil
	}
	sess.timeout.Store(int64(timeout))
	sess.touched.Store(s.sessionNow())
	old := sess.conn.Swap(c)
	c.before, sess.latest = sess.latest, c
	s.mu.Unlock()
	if old != nil {
		old.out.kill()
	}
	return sess
}

// lives reports whether there is a session.
func (s *Server) lives(id int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions[id] != nil
}

// awaitEnd waits until the end of a session is published: before that, nobody may
// be told of it.
func (s *Server) awaitEnd(sess *session) {
	if sess == nil {
		return
	}
	select {
	case <-sess.ended:
	case <-s.failed:
	}
}

// markEnding lets nobody attach to a session any more.
func (s *Server) markEnding(id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sess := s.sessions[id]; sess != nil {
		sess.ending = true
	}
}

// dropSession forgets a session whose end is certain.
func (s *Server) dropSession(id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sess := s.sessions[id]; sess != nil {
		delete(s.sessions, id)
		close(sess.ended)
	}
}

// overdue returns requests to end the sessions that have not been heard of for
// their timeout.
func (s *Server) overdue() []item {
	now := s.sessionNow()
	s.mu.Lock()
	defer s.mu.Unlock()
	var items []item
	for _, sess := range s.sessions {
		if now-sess.touched.Load() > sess.timeout.Load() {
			if !sess.ending {
				s.stats.expired.Add(1)
			}
			sess.ending = true
			items = append(items, expiry(sess))
		}
	}
	slices.SortFunc(items, func(a, b item) int { return cmp.Compare(a.who.id, b.who.id) })
	return items
}

func expiry(sess *session) item {
	return item{who: sess, req: tree.Request{Op: jute.OpCloseSession, Session: sess.id}}
}

// password derives the password of a session, so that it need not be kept.
func (s *Server) password(id int64) [jute.PasswordSize]byte {
	mac := hmac.New(sha256.New, s.secret[:])
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(id)) //nolint:gosec // a pattern of bits
	mac.Write(b[:])
	return [jute.PasswordSize]byte(mac.Sum(nil))
}
