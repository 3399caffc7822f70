// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"runtime"
	"sync/atomic"
	"testing"
)

// Handlers that need the processor do not keep it from everybody else: those who read
// requests and write answers get it every few of them, and not after every worker has
// had it for as long as the scheduler lets it, with one more worker each time.
func TestWorkersLetOthersRun(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	const tasks = 4000
	w := NewWorkers()
	var left atomic.Int64
	left.Store(tasks)
	var b batch
	for range tasks {
		b.add(&task{run: func() {
			for i, x := 0, uint32(1); i < 20_000; i++ {
				x = x*1664525 + 1013904223
				if x == 0 {
					t.Error("it is never 0 so soon")
				}
			}
			left.Add(-1)
		}})
	}
	w.submit(&b)
	turns := 0
	for left.Load() > 0 {
		runtime.Gosched()
		turns++
	}
	w.Close()
	if turns < tasks/100 {
		t.Errorf("somebody else got %d turns beside %d tasks, want at least %d", turns, tasks, tasks/100)
	}
}
