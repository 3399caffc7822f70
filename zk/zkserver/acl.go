// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import "github.com/rollcall-rpc/rollcall/zk/zkserver/internal/tree"

// skipACL is an identity of every connection where [Options.SkipACL] is set. It
// may do everything, and is not told by whoAmI.
var skipACL = tree.Identity{Scheme: tree.SchemeSuper, ID: "skipACL"}

// firstIdentities returns who a connection is before it has proven anything.
func (s *Server) firstIdentities(host string) *[]tree.Identity {
	who := []tree.Identity{{Scheme: tree.SchemeIP, ID: host}}
	if s.opts.SkipACL {
		who = append(who, skipACL)
	}
	return &who
}
