// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package transport

import "testing"

func BenchmarkSequential32B(b *testing.B) {
	r := tcpRig(b, ClientOptions{}, ServerOptions{})
	req := &Request{Method: "Bench/Echo", Body: make([]byte, 32)}
	b.ReportAllocs()
	for b.Loop() {
		reply, err := r.client.Call(b.Context(), req)
		if err != nil || len(reply.Body) != 32 {
			b.Fatal(len(reply.Body), err)
		}
		reply.Release()
	}
}

func BenchmarkCallers100x1KiB(b *testing.B)    { benchCallers(b, 1, 100, 1<<10) }
func BenchmarkCallers100x64KiB(b *testing.B)   { benchCallers(b, 1, 100, 64<<10) }
func BenchmarkCallers1000x1KiBx8(b *testing.B) { benchCallers(b, 8, 1000, 1<<10) }
func BenchmarkPipelined100x32B(b *testing.B)   { benchCallers(b, 1, 100, 32) }

func benchCallers(b *testing.B, conns, callers, size int) {
	workers := NewWorkers()
	b.Cleanup(workers.Close)
	var rigs []*rig
	for range conns {
		rigs = append(rigs, tcpRig(b, ClientOptions{}, ServerOptions{Workers: workers}))
	}
	run(b, callers, size, func(i int, body []byte) (int, error) {
		reply, err := rigs[i%conns].client.Call(b.Context(), &Request{Method: "Bench/Echo", Body: body})
		n := len(reply.Body)
		reply.Release()
		return n, err
	})
}
