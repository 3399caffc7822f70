// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

// Package registry measures registries that speak ZooKeeper's protocol: each is
// a process of its own on loopback, with its data on the disk and every write
// synced. Every reply is checked; one wrong reply fails the measurement.
package registry
