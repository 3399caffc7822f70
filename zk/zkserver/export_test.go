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
	return s.watchCount()
}

// ServeConn serves one connection and returns when it has ended. Serve must be
// running.
func (s *Server) ServeConn(nc net.Conn) {
	sv := &serve{}
	s.admit(sv, nc)
	sv.conns.Wait()
}
