// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

// Package zktest starts a ZooKeeper server in memory for a test, of any client of
// ZooKeeper.
//
//	srv := zktest.Start(t)
//	client, err := zk.New([]string{srv.Addr()}, zk.Options{})
//
// The server listens on a free port of the loopback interface and is stopped
// when the test ends. Its sessions are short, so that expiry can be waited for.
//
// # Bad days
//
// [Server.ExpireSession], [Server.CutConnection], [Server.Stop] and
// [Server.RestartEmpty] do to a client at once what a bad day does to it;
// [Server.Hold] and [Server.Refuse] keep it out.
//
// What has to strike a certain request is injected. This registry carries out the
// next create under /rpc and loses the answer:
//
//	lost := srv.Inject(zktest.Once(zktest.Match{Ops: zktest.Creates, Under: "/rpc"}, zktest.CutAfter))
//	…
//	<-lost.Happened(1)
//
// [Once], [Times], [Always] and [Sequence] make a [Hook] of a [Match] and a
// [Fault]; a function of one's own does as well. Replies keep the order of the
// requests on their connection, whatever a fault does.
//
// # Time
//
// With a [Clock] in the [Options] time stands still until it is turned. Turned
// beyond a session's timeout, it expires the session before Turn returns.
//
// # Concurrency
//
// The methods of [Server] and [Injection] may be called from any goroutine, but
// not from a [Hook].
package zktest
