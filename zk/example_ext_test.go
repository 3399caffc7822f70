// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zk_test

import (
	"context"
	"fmt"
	"time"

	"github.com/rollcall-rpc/rollcall/zk"
	"github.com/rollcall-rpc/rollcall/zk/zkserver"
)

// exampleServer starts a server in memory. A program connects to one that runs.
func exampleServer() (address string, stop func()) {
	s, err := zkserver.Start("127.0.0.1:0", zkserver.Options{})
	if err != nil {
		panic(err)
	}
	return s.Addr(), func() { s.Close() }
}

// A server registers under a path as long as its session lives, and somebody
// else watches the path.
func Example() {
	address, stop := exampleServer()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	observer, err := zk.New([]string{address}, zk.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer observer.Close()
	if err := observer.EnsurePath(ctx, "/rpc"); err != nil {
		fmt.Println(err)
		return
	}
	watch, err := observer.AddWatch(ctx, "/rpc", zk.PersistentRecursive)
	if err != nil {
		fmt.Println(err)
		return
	}

	member, err := zk.New([]string{address}, zk.Options{SessionTimeout: 4 * time.Second})
	if err != nil {
		fmt.Println(err)
		return
	}
	data := []byte(`{"host":"127.0.0.1","port":8001}`)
	path, err := member.Create(ctx, "/rpc/server", data, zk.ModeEphemeralSequential, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("registered as", path)
	member.Close() // ends the session, and with it the node

	for range 2 {
		ev := <-watch.Events()
		fmt.Println(ev.Type, ev.Path)
	}
	// Output:
	// registered as /rpc/server0000000000
	// NodeCreated /rpc/server0000000000
	// NodeDeleted /rpc/server0000000000
}
