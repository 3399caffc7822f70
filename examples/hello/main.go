// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

// The command hello runs a registry, a server and a client, and ends.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/zk/zkserver"
)

var hello = rollcall.Method[string, string]{Name: "Greeter/Hello", Idempotent: true}

func main() {
	_, registry, err := zkserver.Start("127.0.0.1:0", zkserver.Options{}) // or a ZooKeeper that is there
	check(err)
	target := "zk://" + registry.String() + "/rpc"

	server := rollcall.NewServer(rollcall.ServerOptions{Registry: target})
	rollcall.Handle(server, hello, func(_ context.Context, name *string) (*string, error) {
		return new("Hello, " + *name), nil
	})
	go func() { check(server.ListenAndServe(context.Background(), "127.0.0.1:0")) }()

	client, err := rollcall.NewClient(target, rollcall.ClientOptions{})
	check(err)
	greeting, err := hello.CallWith(context.Background(), client, new("Ada"), rollcall.CallOptions{WaitForReady: true})
	check(err)
	fmt.Println(*greeting)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
