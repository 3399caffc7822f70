// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

// Package zkserver is a server of ZooKeeper's client protocol, of one node, that
// a program or a test carries in itself.
//
//	registry, err := zkserver.Start("127.0.0.1:2181", zkserver.Options{})
//
// [New] and [Server.Serve] leave the listener, the goroutine and the end to the
// program.
//
// Existing clients (the Java client, the C client, kazoo, go-zookeeper, ours)
// connect to it as they do to ZooKeeper 3.9. Where 3.8 and 3.9 differ, 3.9 is
// the model.
//
// # Life of a request
//
// A connection has a reader and a writer. The reader answers reads itself, from
// the version of the tree that was published last, without waiting for anybody.
// Writes go to one owner goroutine, which takes what has gathered, validates and
// applies it to the next version of the tree, commits the batch, publishes the
// version, and then sends the watch events and replies in the order of their
// transactions. With a data directory, to commit is to append the batch to a log
// and to sync that, while requests gather for the next one. A read behind an unanswered write of its own connection travels
// with it, so that replies keep the order of the requests and a client sees what
// it wrote. A session that comes on a new connection is served there when what it
// asked on the one before is done: a client whose answer was lost finds out what
// became of its request. Nobody sees what was not committed.
//
// # Operation
//
// [Server.State] is what the server does now, as a struct with JSON tags; the
// four-letter words of ZooKeeper's tools are written from it. [Options.Events] are
// told of sessions, snapshots, a slow disk and refused connections as they happen.
//
// # Concurrency
//
// The methods of [Server] may be called from any goroutine. Lock order:
// Server.life, Server.mu, Server.pub, outbox.mu, watchTable.mu; queue.mu is
// always the last. None is held while anything may block for long. DESIGN.md beside
// this file says who may touch what.
//
// # Caveats
//
// Without [Options.DataDir] the data is gone with the process.
//
// Each life of a server begins at a zxid that grows with the wall clock, and is beyond
// all that it finds on its disk. So a client that has seen what is not there any more,
// since data was put back from a copy or there is none, is not turned away as being
// ahead: it keeps its session where the data has that, and its watches tell it that
// everything has changed; else it is told that the session has expired. The latter
// also happens to one that is ahead nevertheless, because the clock was set back too.
//
// With it, whatever anybody was told survives the end of the process and of the
// power; package store says what damage is found. A restored session has its
// first timeout, all of it ahead. The whole tree is in memory too.
//
// There is no ensemble: reconfig is refused. SASL answers as in ZooKeeper
// where no mechanism is configured, some times. The removal of a container, which is
// ZooKeeper's own operation, is not taken from clients.
//
// The number of nodes and of sessions is bounded by memory alone. What a
// connection can take beside them has its limits in [Options]: who reaches one
// loses the connection or waits, and others are served.
//
// A transaction that fails consumes no zxid, unlike in ZooKeeper; its reply
// carries the zxid of the transaction before it.
package zkserver
