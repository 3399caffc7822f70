// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

// Package rollcalltest connects servers and clients in memory, for tests of
// services: no port, no registry process, and inside a testing/synctest bubble
// no real time either.
//
//	client := rollcalltest.Start(t, func(s *rollcall.Server) {
//		rollcall.Handle(s, Hello, hello)
//	})
//	greeting, err := Hello.Call(t.Context(), client, &Name{Name: "Ada"})
//
// A [Service] has several servers and clients, and servers that die or drain.
// Where ZooKeeper itself matters to a test, use zktest, which runs the embedded
// registry.
//
// # Concurrency
//
// Methods may be called from any goroutine.
//
// # Caveats
//
// In a synctest bubble everything must be made inside it: call Start there.
package rollcalltest
