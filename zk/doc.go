// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

// Package zk is a client of ZooKeeper: one session, kept alive over any number
// of connections, with contexts, watches that survive, and errors that say
// whether a request may have been executed.
//
//	c, err := zk.New([]string{"127.0.0.1:2181"}, zk.Options{})
//	if err != nil { … }
//	defer c.Close()
//	w, err := c.AddWatch(ctx, "/rpc", zk.PersistentRecursive)
//	if err != nil { … }
//	for ev := range w.Events() { … }
//
// [New] returns at once and connects in the background. A request made while
// there is no connection waits for one, or for the end of its context. A request
// that was written when the connection is lost fails with [ErrConnectionLoss]
// and is never repeated by the client: the caller alone knows whether that is
// safe.
//
// # Sessions
//
// Only a server can say that a session has expired, and only once a connection
// is there again. Until then [Client.Session] says [StateConnecting], with a
// LastErr that tells when the session has been out of reach for longer than its
// timeout. After an expiry the client opens a new session by itself and
// Session.Generation grows. Requests that waited in the queue are sent in the
// new session, a create of an ephemeral node included: such a node then belongs
// to the new session.
//
// When every server accepts connections but closes them without answering the
// handshake, as ZooKeeper does with a client that has seen a later transaction
// than the server holds (a wiped data directory), and this has lasted longer
// than the session timeout, the client asks for a new session as if it had seen
// nothing. If that is granted the old session counts as expired.
//
// # Watches
//
// A one-shot watch comes with a read ([Client.GetW], [Client.ExistsW],
// [Client.ChildrenW]) and delivers exactly one event. A persistent watch
// ([Client.AddWatch], ZooKeeper 3.6 and later) lives until it is closed. Both
// survive a reconnection. An event is in its channel before the reply of any
// later read is returned, so a reader never holds data that is newer than the
// events it can see.
//
// # Concurrency
//
// All methods of [Client] and [Watch] may be called from any goroutine.
// Requests of many goroutines share one connection and are pipelined: they are
// written in batches, in the order in which they were made, and answered in
// that order.
//
// # Caveats
//
// ZooKeeper 3.8.0 remembers one kind of watch per path and connection. Do not
// mix persistent and one-shot watches on one path there.
//
// A one-shot watch that never fires stays in memory, on both sides, until the
// client is closed. For something that is watched again and again use a
// persistent watch.
//
// Source: ZooKeeper Programmer's Guide; org.apache.zookeeper.ClientCnxn.
package zk
