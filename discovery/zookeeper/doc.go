// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

// Package zookeeper keeps lists of instances in ZooKeeper: its [Session] hands
// out the Resolver and the Registrar of each path.
//
//	session, err := zookeeper.Open([]string{"127.0.0.1:2181"}, zookeeper.Options{})
//	if err != nil { … }
//	defer session.Close()
//	registration, err := session.Registrar("/rpc").Register(instance)
//	err = session.Resolver("/rpc").Watch(ctx, func(u discovery.Update) { … })
//
// # The list
//
// All watchers of a path share one loop. It arms one persistent recursive watch,
// lists the children once and reads each once. From then on a join costs one
// notification and one read, a leave one notification. After a reconnection it
// lists once and reads the names it does not know; names of other than
// sequential nodes, and every name when the registry has begun another life,
// are read again. A slow full re-read is the safety net. On servers that do not
// know persistent watches (before ZooKeeper 3.6) there is a one-shot watch on
// the children instead, and one list per change.
//
// # The overrides
//
// What operators have ordered for the instances of "/rpc" lies in
// "/rpc-meta/overrides", see package layout. A path's loop follows that node with
// one watch of its own, reads it once for each connection and once for each
// change, and puts the orders in force in the list: the first list of a
// connection waits for them. Without persistent watches it is the watch of
// exists. A document that cannot be read, or may not be, keeps no list back: it
// is logged, it stands among what was skipped, and what was last read stays in
// force. [Session.EditOverrides] changes the document.
//
// # The registration
//
// A registration is reconciled, not driven by callbacks: on each event of the
// session, on each event of its node and on a slow timer what is wanted is
// compared with what is there, and the next step towards it is taken. A session
// that expired, a node that was deleted by hand, a registry that was wiped and a
// create whose answer was lost all end in the same place: exactly one node, in
// our session, with our data. The status tells and counts why entries were gone.
//
// Of two nodes with one ID the younger is the instance. Its owner deletes the
// elder, once. The elder's owner then finds its node gone and a younger twin
// alive: it reports a conflict and does not create again until the twin is gone.
//
// # Concurrency
//
// All methods may be called from any goroutine. Sessions of one process with the
// same servers, credentials, TLS and times share one ZooKeeper session, see
// [Options]; the last one to be closed closes it and waits for every goroutine.
//
// # Caveats
//
// Without TLS the credentials go over the network as they are.
//
// A node that is deleted while it is wanted is created again: to take a server
// out, deregister it, or use what operators have for that, never its node.
package zookeeper
