// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zookeeper_test

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/discovery/zookeeper"
	"github.com/rollcall-rpc/rollcall/zk/zkserver"
)

// A server registers, a client finds it. The registry is embedded; any ZooKeeper
// does as well.
func ExampleOpen() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	registry, err := zkserver.New(zkserver.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer registry.Close()
	go func() { _ = registry.Serve(context.Background(), listener) }()

	session, err := zookeeper.Open([]string{listener.Addr().String()}, zookeeper.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close()
	_, err = session.Registrar("/rpc").Register(discovery.Instance{
		ID: "7f3a91c2e0b4d586", Host: "127.0.0.1", Port: 8001, Weight: discovery.DefaultWeight,
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	ctx, cancel := context.WithCancel(context.Background())
	err = session.Resolver("/rpc").Watch(ctx, func(u discovery.Update) {
		for _, in := range u.Instances {
			fmt.Println(u.Source, in.Name, in.Addr())
			cancel()
		}
	})
	fmt.Println(errors.Is(err, context.Canceled))
	// Output:
	// live server0000000000 127.0.0.1:8001
	// true
}
