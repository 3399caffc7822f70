// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/discovery"
)

// What was started is gone once Serve and Close have returned.
func TestNothingIsLeftBehind(t *testing.T) {
	leavesNothing(t, 20, func() {
		registry := new(discovery.Memory)
		s := startDivide(t, registry, "a")
		c, err := rollcall.NewClient("memory", meeting.client(rollcall.ClientOptions{Resolver: registry}))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := divide.Call(context.Background(), c, &fraction{Num2: 1}); err != nil {
			t.Fatal(err)
		}
		c.Close()
		s.Close()
		<-s.ended
	})
}

// leavesNothing does something several times, and demands that no goroutine is left.
func leavesNothing(t *testing.T, times int, do func()) {
	t.Helper()
	before := runtime.NumGoroutine()
	for range times {
		do()
	}
	// A goroutine that has told its end may still be counted for a moment.
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); runtime.NumGoroutine() > before; <-tick.C {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
		}
	}
}
