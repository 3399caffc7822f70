// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"time"

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
	go srv.Serve(context.Background(), l) //nolint:errcheck // what comes of it is looked at elsewhere
	srv.Registered(context.Background())  //nolint:errcheck // what comes of it is looked at elsewhere
	return func() { srv.Close() }
}

// callExample returns a client of the list. With a target in the place of the
// Resolver it is ZooKeeper's: "zk://127.0.0.1:2181/rpc".
func callExample(registry *discovery.Memory) *rollcall.Client {
	client, err := rollcall.NewClient("example", rollcall.ClientOptions{Resolver: registry})
	if err != nil {
		panic(err)
	}
	return client
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
	client := callExample(registry)
	defer client.Close()

	_, err := divideExample.Call(context.Background(), client, &fractionOf{Num1: 1})
	if e, ok := errors.AsType[*rollcall.Error](err); ok {
		fmt.Println(e.Code, e.Reason, e.Executed)
	}
	// Output: InvalidArgument INVALID_OPERATION yes
}

// Tools call methods by name, with bytes.
func ExampleClient_Invoke() {
	registry := new(discovery.Memory)
	defer serveExample(registry)()
	client := callExample(registry)
	defer client.Close()

	reply, err := client.Invoke(context.Background(), "Divide/Divide", []byte(`{"Num1":6,"Num2":3}`),
		rollcall.CallOptions{Codec: rollcall.JSON.ID()})
	fmt.Println(string(reply), err)
	// Output: {"Value":2} <nil>
}

// Each attempt of a call may take 5 s; one that takes longer than 99 of 100
// is hedged on another instance. The report tells what was tried.
func ExampleCallOptions() {
	registry := new(discovery.Memory)
	defer serveExample(registry)()
	client := callExample(registry)
	defer client.Close()

	var report rollcall.Report
	q, err := divideExample.CallWith(context.Background(), client, &fractionOf{Num1: 6, Num2: 3}, rollcall.CallOptions{
		Timeout: 10 * time.Second, AttemptTimeout: 5 * time.Second, Hedge: true, Report: &report,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(q.Value, report.Counts, len(report.Attempts), "failed attempts")
	// Output: 2 1 listed: 1 usable 0 failed attempts
}

// A client's state as a page for operators.
func ExampleClient_DebugHandler() {
	registry := new(discovery.Memory)
	defer serveExample(registry)()
	client := callExample(registry)
	defer client.Close()

	page := httptest.NewServer(client.DebugHandler())
	defer page.Close()
	resp, err := http.Get(page.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	resp.Body.Close()
	fmt.Println(resp.Status, resp.Header.Get("Content-Type"), client.State().Balance)
	// Output: 200 OK application/json p2c
}
