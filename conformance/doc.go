// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

// Package conformance holds tests that play unmodified clients of ZooKeeper
// against the embedded registry, and the same tests against Apache ZooKeeper,
// which is the yardstick: what it does not pass is not asked of us.
//
// The clients are go-zookeeper, kazoo, and the command lines in Java and in C
// that come with ZooKeeper. The servers are
//
//   - registry: the built "rollcall registry" with its data on disk, a process
//     that can be killed; where data is to be lost, with its data in memory;
//   - zktest: the embedded server in the test's process, for restarts;
//   - apache: Apache ZooKeeper, standalone.
//
// What the two command lines print is compared with transcripts in testdata.
//
// The histories of concurrent clients over a registry that is killed time and
// again are checked to be linearizable, with porcupine.
//
// # Caveats
//
// It has a module of its own, so that users do not inherit go-zookeeper and
// porcupine. Run it there; it needs the Debian packages zookeeper, zookeeper-bin,
// python3-kazoo and python3-pure-sasl, and skips what is missing unless ROLLCALL_TEST_REQUIRE is
// "all":
//
//	cd conformance && go test -race ./...
package conformance
