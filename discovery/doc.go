// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

// Package discovery holds the contracts between those who know which servers
// are there and those who want to know: [Instance], [Update], [Resolver] and
// [Registrar]. It also holds [Target], the address of a service, and two
// sources without a registry: [Static] and [Memory].
//
//	target, err := discovery.ParseTarget("static://10.0.0.1:8001,10.0.0.2:8001")
//	resolver := discovery.NewStatic(target.Hosts)
//	err = resolver.Watch(ctx, func(u discovery.Update) { … })
//
// A target whose list is in ZooKeeper is zk://host:port[,host:port…]/path. With
// zks:// instead the registry is never spoken to without TLS; the configuration is
// an option of whoever opens the target, and without one the certificates of the
// servers must be signed by one of the system's roots. Whether an instance itself
// serves TLS is for the instance to say, [Instance].TLS.
//
// Operators can overrule what a server says of itself, [Override]: an instance
// that they drain stays in the list and is not to be picked, and a weight that
// they give counts instead of its own.
//
// # Concurrency
//
// A Resolver may be watched by many at once; each watcher is called from one
// goroutine, its own. What an Update holds is immutable from its delivery on:
// readers share it without a lock, and nobody changes it.
//
// # Caveats
//
// An Update is the whole list, never a difference. An empty list is an
// observation, not an order: a registry that was wiped also shows one.
package discovery
