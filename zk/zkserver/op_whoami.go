// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"strings"

	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zkserver/internal/tree"
)

var whoAmIHandler = handler{read: readWhoAmI, short: "HOMI"}

// readWhoAmI tells the identities of the connection, without hashes of
// passwords.
func readWhoAmI(rd *reading, b []byte) ([]byte, jute.ErrCode) {
	var r jute.WhoAmIResponse
	for _, id := range rd.conn.identities() {
		switch {
		case id == skipACL:
			continue // proven by nobody
		case id.Scheme == tree.SchemeDigest:
			id.ID, _, _ = strings.Cut(id.ID, ":")
		}
		r.Clients = append(r.Clients, jute.ClientInfo{Scheme: id.Scheme, User: id.ID})
	}
	return r.Append(b), jute.ErrOk
}
