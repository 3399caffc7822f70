// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"context"
	"runtime"
	"testing"
	"time"
)

// BenchmarkConnectionAtRest measures what a connection holds that carries nothing,
// both ends together, as it is and after a message of 1 MiB each way.
func BenchmarkConnectionAtRest(b *testing.B) {
	b.Run("fresh", func(b *testing.B) { b.ReportMetric(float64(bytesAtRest(b, 1000, 0)), "B/conn") })
	b.Run("after 1 MiB", func(b *testing.B) { b.ReportMetric(float64(bytesAtRest(b, 1000, 1<<20)), "B/conn") })
}

// Whatever a connection has carried, at rest it holds little.
func TestConnectionAtRestHoldsLittle(t *testing.T) {
	if raceEnabled {
		t.Skip("a race build's memory is another")
	}
	const most = 2 * 12 << 10 // both ends, with what a rig adds
	if n := bytesAtRest(t, 100, 1<<20); n > most {
		t.Errorf("%d bytes per connection, want at most %d", n, most)
	}
}

// bytesAtRest returns how much memory each of n connections holds, both ends
// together, that have carried size bytes each way and are at rest.
func bytesAtRest(t testing.TB, n, size int) int {
	t.Helper()
	workers := NewWorkers()
	t.Cleanup(workers.Close)
	before := inUse()
	rigs := make([]*rig, n)
	for i := range rigs {
		rigs[i] = tcpRig(t, ClientOptions{KeepaliveInterval: 50 * time.Millisecond}, ServerOptions{Workers: workers})
		reply, err := rigs[i].client.Call(context.Background(), &Request{Method: "M", Body: make([]byte, size)})
		if err != nil || len(reply.Body) != size {
			t.Fatal(len(reply.Body), err)
		}
		reply.Release()
	}
	for _, r := range rigs {
		for !r.atRest() {
			runtime.Gosched()
		}
	}
	after := inUse()
	runtime.KeepAlive(rigs)
	return (after - before) / n
}

// inUse returns the memory of heap and stacks that is in use.
func inUse() int {
	for range 3 {
		runtime.GC() // the stacks shrink, and the pools are emptied
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc + m.StackInuse)
}

// atRest reports whether the client watches the server no more.
func (r *rig) atRest() bool {
	r.client.out.mu.Lock()
	defer r.client.out.mu.Unlock()
	return r.client.sleeping
}
