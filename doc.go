// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

// Package rollcall makes a Go service distributed: every server answers the
// roll in ZooKeeper, every client watches the list, picks a live server, calls
// it, and moves on within milliseconds when it dies.
//
// A method is declared once, for both sides:
//
//	var Divide = rollcall.Method[Fraction, Quotient]{Name: "Divide/Divide", Idempotent: true}
//
// A server handles it and registers itself:
//
//	srv := rollcall.NewServer(rollcall.ServerOptions{Registry: "zk://127.0.0.1:2181/rpc"})
//	rollcall.Handle(srv, Divide, divide) // func(context.Context, *Fraction) (*Quotient, error)
//	err := srv.ListenAndServe(ctx, "127.0.0.1:8001")
//
// A client calls it on whichever server is there:
//
//	client, err := rollcall.NewClient("zk://127.0.0.1:2181/rpc", rollcall.ClientOptions{})
//	defer client.Close()
//	q, err := Divide.Call(ctx, client, &Fraction{Num1: 6})
//
// # Failures
//
// Every error of a call is an [*Error]. Its Executed field tells what is known
// about the handler: surely not begun, perhaps, or answered. A call that was
// surely not begun is tried on another instance, whatever the method; a call
// that may have been begun is tried again only where the method is marked
// Idempotent. No retry outlives the deadline of the caller's context, and all of
// them together stay within the client's budget: a fifth of its calls, and ten
// per second.
//
// # Concurrency
//
// A [Client] and a [Server] may be used from any goroutine. Handlers run on a
// goroutine each and may block. Nothing is started before [Server.Serve] and
// [NewClient], and nothing is left after Serve and [Client.Close] have
// returned.
//
// # Caveats
//
// There is no default deadline: a call without one waits as long as its server
// is alive and works. A handler's context ends when the caller gives up, when
// the connection dies, and when the server stops for good.
package rollcall
