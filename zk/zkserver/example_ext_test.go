// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/rollcall-rpc/rollcall/zk/zkserver"
)

func Example() {
	srv, err := zkserver.New(zkserver.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	var lc net.ListenConfig
	l, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error)
	go func() { served <- srv.Serve(ctx, l) }()

	fmt.Println("are you ok?", ask(l.Addr(), "ruok"))
	stop()
	fmt.Println("served:", <-served)
	// Output:
	// are you ok? imok
	// served: <nil>
}

// An operator's program is told of what happens, and asks for the state.
func ExampleOptions_events() {
	happened := make(chan string, 1)
	events := zkserver.Events{
		ConnectionRefused: func(info zkserver.RefusedInfo) { happened <- fmt.Sprint("refused: ", info.Reason) },
	}
	srv, err := zkserver.New(zkserver.Options{Events: events})
	if err != nil {
		fmt.Println(err)
		return
	}
	var lc net.ListenConfig
	l, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error)
	go func() { served <- srv.Serve(ctx, l) }()

	ask(l.Addr(), "GET / HTTP/1.0\r\n\r\n")
	fmt.Println(<-happened)
	fmt.Println("znodes:", srv.State().Znodes)
	stop()
	<-served //nolint:errcheck // what comes of it is looked at elsewhere
	// Output:
	// refused: handshake
	// znodes: 4
}

// ask sends a four-letter word.
func ask(addr net.Addr, word string) string {
	var d net.Dialer
	c, err := d.DialContext(context.Background(), addr.Network(), addr.String())
	if err != nil {
		return err.Error()
	}
	defer c.Close()
	if _, err := c.Write([]byte(word)); err != nil {
		return err.Error()
	}
	answer, err := io.ReadAll(c)
	if err != nil {
		return err.Error()
	}
	return string(answer)
}

// A registry of a program's own.
func ExampleStart() {
	registry, err := zkserver.Start("127.0.0.1:0", zkserver.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	target := registry.Target("/rpc") // for rollcall.NewClient, and ServerOptions.Registry
	fmt.Println(strings.TrimSuffix(target, registry.Addr()+"/rpc"))
	fmt.Println("closed:", registry.Close())
	// Output:
	// zk://
	// closed: <nil>
}
