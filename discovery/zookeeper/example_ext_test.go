// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zookeeper_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/discovery/layout"
	"github.com/rollcall-rpc/rollcall/discovery/zookeeper"
	"github.com/rollcall-rpc/rollcall/zk/zkserver"
)

// A server registers, a client finds it. The registry is embedded; any ZooKeeper
// does as well.
func ExampleOpen() {
	registry, err := zkserver.Start("127.0.0.1:0", zkserver.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer registry.Close()
	session, err := zookeeper.Open([]string{registry.Addr()}, zookeeper.Options{})
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

// An operator drains an instance, as rollcall drain does.
func ExampleSession_EditOverrides() {
	registry, err := zkserver.Start("127.0.0.1:0", zkserver.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer registry.Close()
	session, err := zookeeper.Open([]string{registry.Addr()}, zookeeper.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close()
	in := discovery.Instance{ID: "7f3a91c2e0b4d586", Host: "127.0.0.1", Port: 8001, Weight: discovery.DefaultWeight}
	if _, err = session.Registrar("/rpc").Register(in); err != nil {
		fmt.Println(err)
		return
	}
	in.Override = &discovery.Override{Drain: &discovery.Order{By: "ann@ops1", Reason: "new kernel"}}
	err = session.EditOverrides(context.Background(), "/rpc", func(all *layout.Overrides) error {
		all.Put(in)
		return nil
	})
	fmt.Println(err)

	ctx, cancel := context.WithCancel(context.Background())
	err = session.Resolver("/rpc").Watch(ctx, func(u discovery.Update) {
		for _, in := range u.Instances {
			fmt.Println(in.Addr(), in.Drained(), in.Override.Drain.By)
			cancel()
		}
	})
	fmt.Println(errors.Is(err, context.Canceled))
	// Output:
	// <nil>
	// 127.0.0.1:8001 true ann@ops1
	// true
}
