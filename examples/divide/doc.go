// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

// Package divide is a service that divides, with a message format of its own
// that older Python programs speak, on one port with Rollcall's protocol.
//
// A server that both kinds of clients can call:
//
//	srv := rollcall.NewServer(rollcall.ServerOptions{
//		Registry:  "zk://127.0.0.1:2181/rpc",
//		Protocols: []rollcall.Protocol{divide.Protocol()},
//	})
//	rollcall.Handle(srv, divide.Divide, divide.Handler)
//	err := srv.ListenAndServe(ctx, "127.0.0.1:8001")
//
// A client that calls servers of both kinds:
//
//	client, err := rollcall.NewClient("zk://127.0.0.1:2181/rpc", rollcall.ClientOptions{
//		Dialects:        []rollcall.Dialect{divide.Dialect()},
//		DefaultProtocol: divide.ProtocolName, // of servers that list no protocols
//	})
//	q, err := divide.Divide.Call(ctx, client, &divide.Fraction{Num1: 6})
//
// The programs are in the directories server and client, their Python
// counterparts in python.
//
// # The format
//
// A connection carries requests one after the other; the reply to one comes
// before the next is read. All numbers are big-endian.
//
//	request   u32  length of the name, 6
//	               "divide"
//	          u32  length of the arguments, 5 or 10
//	          u8   1 (num1)      i32  its value
//	          u8   2 (num2)      i32  its value; both left out when it is 1
//
//	reply     u8   1 (result)             f32  num1 / num2
//	       or u8   2 (invalid operation)  u32  length of the message, and the message in UTF-8
//
// The arguments may stand in either order. The format has no deadline, no
// metadata, and no way to tell an error other than an invalid operation: where
// the handler returns one, the connection is closed.
//
// # Concurrency
//
// The functions and what they return may be used from any goroutine, except a
// Caller, which makes one call at a time.
package divide
