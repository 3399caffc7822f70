// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

// Package zktest starts a ZooKeeper server in memory for a test.
//
//	srv := zktest.Start(t)
//	client, err := zk.New([]string{srv.Addr()}, zk.Options{})
//
// The server listens on a free port of the loopback interface and is stopped
// when the test ends. Its sessions are short, so that expiry can be waited for,
// and [Server.ExpireSession], [Server.CutConnection], [Server.Stop] and
// [Server.RestartEmpty] do to a client at once what a bad day does to it.
//
// # Concurrency
//
// The methods of [Server] may be called from any goroutine.
package zktest
