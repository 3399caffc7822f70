// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

// checkHandler refuses a check that stands alone: it means something only inside
// a multi.
var checkHandler = handler{local: func(c *conn, xid int32) bool {
	return c.refuse(xid)
}, short: "CHEC"}
