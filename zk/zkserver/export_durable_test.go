// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

// Ending reports whether the end of a session is on its way.
func (s *Server) Ending(id int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	sess := s.sessions[id]
	return sess != nil && sess.ending
}
