// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package balancer

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall/discovery"
)

const many = 10_000

func manyWeights() map[string][]int {
	rnd := rand.New(rand.NewPCG(7, 7))
	mixed := make([]int, many)
	for i := range mixed {
		mixed[i] = 1 + rnd.IntN(200)
	}
	giant := repeat(1, many)
	giant[many/2] = discovery.MaxWeight
	return map[string][]int{"equal": repeat(100, many), "mixed": mixed, "giant": giant}
}

func BenchmarkPick(b *testing.B) {
	for _, policy := range policies {
		for name, weights := range manyWeights() {
			list := measured(weights...)
			p := policy.NewPicker(candidates(list), rand.Float64)
			now := time.Now() // with a monotonic reading, as calls have it
			list[0].load.watch.origin = now
			for i, e := range list { // who was asked last when, all are known
				e.load.setPeak(int64(-i)*int64(time.Millisecond), time.Millisecond+time.Duration(i))
			}
			b.Run(policy.Name()+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				info := PickInfo{Now: now}
				for b.Loop() {
					info.Hash++
					p.Pick(info)
				}
			})
			b.Run(policy.Name()+"/"+name+"/tried", func(b *testing.B) {
				b.ReportAllocs()
				info := PickInfo{Tried: []*Endpoint{list[0], list[many-1]}, Now: now}
				for b.Loop() {
					info.Hash++
					p.Pick(info)
				}
			})
			b.Run(policy.Name()+"/"+name+"/parallel", func(b *testing.B) {
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) {
					info := PickInfo{Hash: rand.Uint64(), Now: now}
					for pb.Next() {
						info.Hash++
						p.Pick(info)
					}
				})
			})
		}
	}
}

func BenchmarkNewPicker(b *testing.B) {
	for _, policy := range policies {
		for _, n := range []int{3, 1000, many} {
			list := candidates(measured(repeat(100, n)...))
			b.Run(fmt.Sprintf("%s/%d", policy.Name(), n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					policy.NewPicker(list, rand.Float64)
				}
			})
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	e := measured(100)[0]
	b.ReportAllocs()
	for b.Loop() {
		e.Start(epoch)
		e.Finish(epoch, time.Millisecond, OutcomeAnswered)
	}
}

func manyInstances() []discovery.Instance {
	list := make([]discovery.Instance, many)
	for i := range list {
		list[i] = discovery.Instance{
			Name: fmt.Sprintf("server%010d", i), ID: fmt.Sprintf("%016x", i), Revision: int64(i + 1), Weight: 100,
			Host: fmt.Sprintf("10.0.%d.%d", i/250, i%250), Port: 8001, Protocols: []string{"rollcall/1", "http/1.1"},
		}
	}
	return list
}

func BenchmarkUpdate(b *testing.B) {
	list := manyInstances()
	fewer := slices.Delete(slices.Clone(list), many/2, many/2+1)
	for name, other := range map[string][]discovery.Instance{"same": list, "one leaves, returns": fewer, "wipe, return": nil} {
		b.Run(name, func(b *testing.B) {
			r := NewRoster(Options{}, Hooks{})
			r.Update(epoch, discovery.Update{Instances: list})
			b.ReportAllocs()
			for b.Loop() {
				r.Update(epoch, discovery.Update{Instances: other})
				r.Update(epoch, discovery.Update{Instances: list})
			}
		})
	}
}

func BenchmarkSnapshot(b *testing.B) {
	r := NewRoster(Options{}, Hooks{})
	r.Update(epoch, discovery.Update{Instances: manyInstances()})
	e := r.Snapshot().Endpoints[0].Endpoint
	b.Run("unchanged", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			r.Snapshot()
		}
	})
	b.Run("one fails, recovers", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			r.Failed(epoch, e, false)
			r.Snapshot()
			r.Recovered(epoch, e)
			r.Snapshot()
		}
	})
}
