// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

// Package transport is one multiplexed Rollcall connection: the client's end,
// the server's end, and what they say to each other when something goes wrong.
//
//	conn := transport.NewClientConn(tcp, transport.ClientOptions{})
//	defer conn.Close()
//	reply, err := conn.Call(ctx, &transport.Request{Method: "Bench/Echo", Body: body})
//
// PROTOCOL.md at the root of the module specifies the bytes.
//
// # Concurrency
//
// There is no writer goroutine. Whoever appends a frame and finds nobody
// writing becomes the flusher for everybody: it yields once if other calls are
// in flight, so that they can append as well, and then writes all there is in
// one go. One reader goroutine per connection hands frames over. On the server
// handlers run on a pool of reused goroutines ([Workers]).
//
// One mutex per connection guards the buffer that waits to be written and the
// table of calls; nothing blocks, and nobody is called, while it is held.
//
// # Executed
//
// Every error of [ClientConn.Call] says whether the request may have been
// executed. "No" is a promise: the request never left our queue, or the server
// said so. In doubt it is "maybe".
//
// # Caveats
//
// A connection is not repaired: when it dies, its owner makes a new one.
package transport
