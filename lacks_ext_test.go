// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"context"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/discovery"
)

// In a rollout one of four servers has a new method: every call of it is answered,
// none is charged to the retry budget, and who lacks it is not asked for ever.
func TestMethodThatOneServerHas(t *testing.T) {
	const calls = 200
	registry := new(discovery.Memory)
	var asked atomic.Int32
	for i := range 4 {
		start(t, "", rollcall.ServerOptions{Registrar: registry, ID: strconv.Itoa(i), Events: rollcall.ServerEvents{
			CallEnd: func(_ context.Context, end rollcall.ServerCallEnd) {
				if !end.Call.Handled {
					asked.Add(1)
				}
			},
		}}, func(s *rollcall.Server) {
			if i == 3 {
				rollcall.Handle(s, divide, divideOn("new"))
			}
		})
	}
	c := newClient(t, registry, rollcall.ClientOptions{})
	if err := c.Ready(within(t)); err != nil {
		t.Fatal(err)
	}
	before := c.State().RetriesLeft
	for i := range calls {
		got, err := divide.CallWith(within(t), c, &fraction{Num1: 1, Num2: 1}, rollcall.CallOptions{WaitForReady: i == 0})
		if err != nil || got.Server != "new" {
			t.Fatalf("call %d: got %+v, %v", i, got, err)
		}
	}
	if left := c.State().RetriesLeft; left < before {
		t.Errorf("%v retries left of %v", left, before)
	}
	if n := asked.Load(); n > 20 {
		t.Errorf("those who lack the method were asked %d times in %d calls", n, calls)
	}
}
