// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

// The command hello runs a registry, a server and a client, and ends.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/zk/zkserver"
)

// A Name is the request, a Greeting the reply.
type (
	Name     struct{ Name string }
	Greeting struct{ Text string }
)

// Hello is the method as both sides know it.
var Hello = rollcall.Method[Name, Greeting]{Name: "Greeter/Hello", Idempotent: true, Timeout: 10 * time.Second}

func hello(_ context.Context, n *Name) (*Greeting, error) {
	return &Greeting{Text: "Hello, " + n.Name}, nil
}

func main() {
	registry, err := zkserver.New(zkserver.Options{}) // or a ZooKeeper that is there
	must(err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	target := "zk://" + l.Addr().String() + "/rpc"
	go func() { must(registry.Serve(context.Background(), l)) }()

	ctx, stop := context.WithCancel(context.Background())
	server, served := rollcall.NewServer(rollcall.ServerOptions{Registry: target}), make(chan error)
	rollcall.Handle(server, Hello, hello)
	go func() { served <- server.ListenAndServe(ctx, "127.0.0.1:0") }()

	client, err := rollcall.NewClient(target, rollcall.ClientOptions{})
	must(err)
	greeting, err := Hello.CallWith(ctx, client, &Name{Name: "Ada"}, rollcall.CallOptions{WaitForReady: true})
	must(err)
	fmt.Fprintln(os.Stdout, greeting.Text)

	must(client.Close())
	stop() // the server drains
	must(<-served)
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "hello:", err)
		os.Exit(1)
	}
}
