// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

// createContainerHandler creates a node that is removed when the last of its
// children is gone, see reaper. It answers a Stat, as create2 does.
var createContainerHandler = handler{
	write: decodeCreate,
	reply: appendOutcomePathStat,
	short: "CREA",
}
