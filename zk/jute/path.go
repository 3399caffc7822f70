// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package jute

// The nodes that every server has and that cannot be removed, beside the root.
const (
	SystemPath = "/zookeeper"        // all that is ZooKeeper's own
	QuotaPath  = "/zookeeper/quota"  // the quotas: below it each has the path that it is for
	ConfigPath = "/zookeeper/config" // the members of an ensemble
)
