// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"net"

	"github.com/rollcall-rpc/rollcall/zk/jute"
)

// HasHandler reports whether an operation is handled.
func HasHandler(op jute.OpCode) bool { return handlerOf(op) != nil }

// Watches returns how many watches there are on nodes and lists of children.
func (s *Server) Watches() int {
	return int(s.watches.count.Load())
}

// ServeConn serves one connection and returns when it has ended. Serve must be
// running.
func (s *Server) ServeConn(nc net.Conn) {
	sv := &serve{}
	s.admit(sv, nc)
	sv.conns.Wait()
}

// Stall keeps the owner from publishing until resume is called.
func (s *Server) Stall() (resume func()) {
	s.pub.RLock()
	return s.pub.RUnlock
}

// Queued returns how many requests wait for the owner.
func (s *Server) Queued() int {
	return s.queue.len()
}

// Held returns how many bytes of replies and requests connections hold, as far as
// they are counted, and how many connections there are.
func (s *Server) Held() (bytes int64, conns int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held.used.Load(), len(s.conns)
}

// KnownSessions returns how many sessions there are, and those that are about to
// begin.
func (s *Server) KnownSessions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sessions)
}
