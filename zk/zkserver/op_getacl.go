// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"strings"

	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zkserver/internal/tree"
)

var getACLHandler = handler{read: readACL, short: "GETA"}

// readACL hides the hashes of passwords from who may not change the list.
func readACL(rd *reading, b []byte) ([]byte, jute.ErrCode) {
	n, _, err := rd.node(jute.PermRead | jute.PermAdmin)
	if err != 0 {
		return b, err
	}
	acl := n.ACL
	if !tree.Allowed(acl, jute.PermAdmin, rd.conn.identities()) {
		acl = maskDigests(acl)
	}
	return n.AppendStat(jute.AppendACLs(b, acl)), jute.ErrOk
}

func maskDigests(acl []jute.ACL) []jute.ACL {
	masked := make([]jute.ACL, len(acl))
	for i, a := range acl {
		if a.Scheme == tree.SchemeDigest {
			user, _, _ := strings.Cut(a.ID, ":")
			a.ID = user + ":x"
		}
		masked[i] = a
	}
	return masked
}
