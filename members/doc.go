// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

// Package members keeps what one program knows of the instances of one service:
// who is listed, who can be called, and who is set aside, and why. It is what a
// client of any protocol stands on: it watches the list, is told by the client
// how its connections fare, and gives it a snapshot to pick from.
//
//	set := members.New(members.Options{
//		Resolver: resolver,
//		Attach:   func(e *balancer.Endpoint) members.Peer { return newConnection(e) },
//	})
//	go set.Run(ctx)
//	e := set.Snapshot().Picker.Pick(balancer.PickInfo{Now: time.Now()})
//
// It is the owner of a [balancer.Roster], which has the rules, and adds what a
// state machine cannot have: the lock, the clock, the goroutines that watch and
// probe. It knows nothing of what is spoken to the instances.
//
// # Concurrency
//
// The methods of a [Set] may be called from any goroutine. A [Peer] is called
// without a lock held, so it may call the Set.
//
// # Caveats
//
// [Set.Run] must run: without it no list is read, no pause ends and nobody is
// probed.
package members
