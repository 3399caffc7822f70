// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"strings"

	"github.com/rollcall-rpc/rollcall/zk/jute"
)

var getEphemeralsHandler = handler{read: readEphemerals, short: "GETE"}

// readEphemerals tells the ephemeral nodes of the asking session whose paths
// begin with a prefix, which need not end where a name does. No permission is
// needed for one's own.
func readEphemerals(rd *reading, b []byte) ([]byte, jute.ErrCode) {
	prefix := string(rd.d.Buffer()) // null is like empty
	if rd.d.Err() != nil {
		return b, jute.ErrMarshalling
	}
	if trimmed := strings.TrimSpace(prefix); trimmed == "/" {
		prefix = ""
	}
	paths := []string{}
	for _, path := range rd.view.Ephemerals(rd.conn.session.id) {
		if strings.TrimSpace(prefix) == "" || strings.HasPrefix(path, prefix) {
			paths = append(paths, path)
		}
	}
	return jute.AppendStrings(b, paths), jute.ErrOk
}
