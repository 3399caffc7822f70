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
	ctx := context.Background()
	registry := must(zkserver.Start("127.0.0.1:0", zkserver.Options{})) // or a ZooKeeper that is there

	server := rollcall.NewServer(rollcall.ServerOptions{Registry: registry.Target("/rpc")})
	rollcall.Handle(server, hello, func(_ context.Context, name *string) (*string, error) {
		return new("Hello, " + *name), nil
	})
	go func() { log.Fatal(server.ListenAndServe(ctx, "127.0.0.1:0")) }()

	client := must(rollcall.NewClient(registry.Target("/rpc"), rollcall.ClientOptions{}))
	greeting := must(hello.CallWith(ctx, client, new("Ada"), rollcall.CallOptions{WaitForReady: true}))
	fmt.Println(*greeting)
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}
