// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/discovery"
)

type (
	fractionOf struct{ Num1, Num2 int32 }
	quotientOf struct{ Value float32 }
)

// A method is declared once, for servers and clients.
var divideExample = rollcall.Method[fractionOf, quotientOf]{Name: "Divide/Divide", Idempotent: true}

func divideHandler(_ context.Context, f *fractionOf) (*quotientOf, error) {
	if f.Num2 == 0 {
		return nil, rollcall.Errorf(rollcall.CodeInvalidArgument, "INVALID_OPERATION", "division by zero")
	}
	return &quotientOf{Value: float32(f.Num1) / float32(f.Num2)}, nil
}

// serveExample serves divide until stop is called. With ServerOptions.Registry
// in the place of Registrar the list is ZooKeeper's.
func serveExample(registry *discovery.Memory) (stop func()) {
	srv := rollcall.NewServer(rollcall.ServerOptions{Registrar: registry})
	rollcall.Handle(srv, divideExample, divideHandler)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go srv.Serve(context.Background(), l)
	srv.Registered(context.Background())
	return func() { srv.Close() }
}

// A server and a client that find each other in a list in memory.
func Example() {
	registry := new(discovery.Memory)
	defer serveExample(registry)()

	client, err := rollcall.NewClient("example", rollcall.ClientOptions{Resolver: registry})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	q, err := divideExample.Call(context.Background(), client, &fractionOf{Num1: 6, Num2: 4})
	fmt.Println(q.Value, err)
	// Output: 1.5 <nil>
}

// The error of a handler reaches the caller with code and reason.
func ExampleError() {
	registry := new(discovery.Memory)
	defer serveExample(registry)()
	client, err := rollcall.NewClient("example", rollcall.ClientOptions{Resolver: registry})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	_, err = divideExample.Call(context.Background(), client, &fractionOf{Num1: 1})
	var e *rollcall.Error
	if errors.As(err, &e) {
		fmt.Println(e.Code, e.Reason, e.Executed)
	}
	// Output: InvalidArgument INVALID_OPERATION yes
}

// Tools call methods by name, with bytes.
func ExampleClient_Invoke() {
	registry := new(discovery.Memory)
	defer serveExample(registry)()
	client, err := rollcall.NewClient("example", rollcall.ClientOptions{Resolver: registry})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	reply, err := client.Invoke(context.Background(), "Divide/Divide", []byte(`{"Num1":6,"Num2":3}`),
		rollcall.CallOptions{Codec: rollcall.JSON.ID()})
	fmt.Println(string(reply), err)
	// Output: {"Value":2} <nil>
}
