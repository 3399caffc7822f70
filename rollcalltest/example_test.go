// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcalltest_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/rollcalltest"
)

// In a test file this is TestHello(t *testing.T).
func Example() {
	hello := rollcall.Method[string, string]{Name: "Greeter/Hello"}
	test := func(t testing.TB) {
		client := rollcalltest.Start(t, func(s *rollcall.Server) {
			rollcall.Handle(s, hello, func(_ context.Context, name *string) (*string, error) {
				return new("Hello, " + *name), nil
			})
		})
		greeting, err := hello.Call(context.Background(), client, new("Ada"))
		fmt.Println(*greeting, err)
	}
	run(test)
	// Output: Hello, Ada <nil>
}

// run stands for the go command.
func run(test func(testing.TB)) {
	testing.Benchmark(func(b *testing.B) {
		if b.N == 1 {
			test(b)
		}
	})
}
