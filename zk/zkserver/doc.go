// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

// Package zkserver is a server of ZooKeeper's client protocol, of one node, that
// a program or a test carries in itself.
//
//	srv, err := zkserver.New(zkserver.Options{})
//	…
//	err = srv.ListenAndServe(ctx, "127.0.0.1:2181")
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
// transactions. A read behind an unanswered write of its own connection travels
// with it, so that replies keep the order of the requests and a client sees what
// it wrote. Nobody sees what was not committed.
//
// # Concurrency
//
// The methods of [Server] may be called from any goroutine. Lock order:
// Server.life, Server.mu, Server.pub, outbox.mu, watchTable.mu; queue.mu is
// always the last. None is held while anything may block for long.
//
// # Caveats
//
// Data lives in memory and is gone with the process. A server begins at a zxid
// that grows with the wall clock, so that clients of an earlier life are told
// that their session has expired, instead of being turned away for ever.
//
// There is no ensemble: reconfig is refused. SASL answers as in ZooKeeper
// where no mechanism is configured. The removal of a container, which is
// ZooKeeper's own operation, is not taken from clients.
//
// The number of nodes, of sessions and of watches is bounded by memory alone.
//
// A transaction that fails consumes no zxid, unlike in ZooKeeper; its reply
// carries the zxid of the transaction before it.
package zkserver
