// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package transport_test

import (
	"context"
	"fmt"

	"github.com/rollcall-rpc/rollcall/internal/memnet"
	"github.com/rollcall-rpc/rollcall/internal/transport"
)

func ExampleClientConn_Call() {
	clientEnd, serverEnd := memnet.Pipe()
	server := transport.NewServerConn(serverEnd, transport.ServerOptions{
		Handler: func(_ context.Context, req *transport.ServerRequest) (transport.Reply, error) {
			return transport.Reply{Codec: req.Codec, Body: append([]byte("hello, "), req.Body...)}, nil
		},
	})
	served := make(chan error)
	go func() { served <- server.Serve(context.Background()) }()

	client := transport.NewClientConn(clientEnd, transport.ClientOptions{})
	reply, err := client.Call(context.Background(), &transport.Request{Method: "Greeter/Greet", Body: []byte("world")})
	fmt.Printf("%s %v\n", reply.Body, err)
	client.Close()
	fmt.Println(<-served)
	// Output:
	// hello, world <nil>
	// <nil>
}
