// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zk

import "github.com/rollcall-rpc/rollcall/zk/jute"

// The nodes that every server has and that cannot be removed, beside the root.
const (
	SystemPath = jute.SystemPath // all that is ZooKeeper's own
	QuotaPath  = jute.QuotaPath  // the quotas: below it each has the path that it is for
	ConfigPath = jute.ConfigPath // the members of an ensemble
)
