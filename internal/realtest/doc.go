// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

// Package realtest lends tests their real neighbours: an Apache ZooKeeper server
// and the Python client kazoo, as Debian packages them.
//
//	zoo := realtest.Apache(t) // runs until the test ends
//	client, err := zk.New([]string{zoo.Addr()}, zk.Options{})
//
// A test whose neighbour is not installed is skipped, with a message that names
// the package to install. With ROLLCALL_TEST_REQUIRE=all in the environment it
// fails instead, so that a continuous build cannot skip it without a word.
//
// It also says how long crash tests go on, see [CrashRounds].
//
// # Concurrency
//
// A [ZooKeeper] belongs to the goroutine of its test.
package realtest
