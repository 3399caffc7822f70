// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"context"
	"fmt"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/discovery"
)

// An interceptor of a client stands around every call, with its retries: it sends the
// tenant along, and sees who has answered.
func ExampleInterceptor_client() {
	registry := new(discovery.Memory)
	defer serveExample(registry)()

	tenant := func(next rollcall.Handler) rollcall.Handler {
		return func(ctx context.Context, call *rollcall.CallInfo, request any) (any, error) {
			call.SetMetadata("tenant", "shop-7")
			reply, err := next(ctx, call, request)
			fmt.Println(call.Method, call.Metadata["tenant"], call.Instance != nil, rollcall.CodeOf(err) == 0)
			return reply, err
		}
	}
	client, err := rollcall.NewClient("example", rollcall.ClientOptions{
		Resolver: registry, Interceptors: []rollcall.Interceptor{tenant},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	q, err := divideExample.Call(context.Background(), client, &fractionOf{Num1: 6, Num2: 4})
	fmt.Println(q.Value, err)
	// Output:
	// Divide/Divide shop-7 true true
	// 1.5 <nil>
}

// Events tell of each call and attempt, for metrics and logs.
func ExampleClientEvents() {
	registry := new(discovery.Memory)
	defer serveExample(registry)()

	client, err := rollcall.NewClient("example", rollcall.ClientOptions{Resolver: registry, Events: rollcall.ClientEvents{
		AttemptEnd: func(_ context.Context, a rollcall.AttemptInfo) {
			fmt.Println("attempt on", a.Attempt.Instance, "executed:", a.Executed)
		},
		CallEnd: func(_ context.Context, end rollcall.ClientCallEnd) {
			fmt.Println("call of", end.Call.Method, "failed:", end.Err != nil)
		},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	if _, err := divideExample.Call(context.Background(), client, &fractionOf{Num1: 6, Num2: 4}); err != nil {
		fmt.Println(err)
	}
	// Output:
	// attempt on server0000000000 executed: yes
	// call of Divide/Divide failed: false
}
