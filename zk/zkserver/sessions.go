// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"net"
	"time"
)

// SessionInfo describes a live session.
type SessionInfo struct {
	ID         int64
	Timeout    time.Duration // negotiated
	Remote     net.Addr      // of its connection; nil: it has none now
	Ephemerals int           // nodes that it owns
}

// Sessions returns the live sessions in the order of their ids.
func (s *Server) Sessions() []SessionInfo { return nil }

// ExpireSession ends a session as if its client had not been heard of for its
// timeout. When it returns, the session and its ephemeral nodes are gone. It
// returns false if there is no such session or nothing is served.
func (s *Server) ExpireSession(id int64) bool { return false }

// CutConnection closes the connection of a session, which lives on until its
// timeout. It returns false if there is no such session or it has no connection.
func (s *Server) CutConnection(id int64) bool { return false }
