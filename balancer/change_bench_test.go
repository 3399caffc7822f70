// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package balancer

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall/discovery"
)

// BenchmarkRosterChange tells what a change of one instance among 10,000 costs its
// client under the Roster's lock: the change itself, the new Snapshot with its Picker,
// and the look of the clock that follows. Each iteration is a change and the one that
// takes it back.
func BenchmarkRosterChange(b *testing.B) {
	for _, policy := range policies {
		b.Run(policy.Name()+"/fail,recover", func(b *testing.B) {
			benchmarkChange(b, policy, func(r *Roster, now time.Time, e *Endpoint, back bool) {
				if back {
					r.Recovered(now, e)
				} else {
					r.Failed(now, e, false)
				}
			})
		})
		b.Run(policy.Name()+"/silent,over", func(b *testing.B) {
			benchmarkChange(b, policy, func(r *Roster, now time.Time, e *Endpoint, back bool) { r.Silent(now, e, !back) })
		})
		b.Run(policy.Name()+"/drain,probed", func(b *testing.B) {
			benchmarkChange(b, policy, func(r *Roster, now time.Time, e *Endpoint, back bool) {
				if back {
					r.Probed(now, e)
				} else {
					r.Draining(now, e.Instance.ID, e)
					r.Left(now, e)
				}
			})
		})
		b.Run(policy.Name()+"/ejected,on trial", func(b *testing.B) {
			benchmarkChange(b, policy, func(r *Roster, now time.Time, e *Endpoint, back bool) {
				r.watch.next.Store(math.MaxInt64) // see BenchmarkReview
				for range DefaultEjectAfter {
					if !back {
						e.Start(now)
						e.Finish(now, time.Millisecond, OutcomeLost)
					}
				}
				r.Tick(now) // ejects, or lets in again
			})
		})
		// What a list costs that is one longer or shorter, and nothing else.
		b.Run(policy.Name()+"/leave,join", func(b *testing.B) {
			list := manyInstances()
			fewer := slices.Delete(slices.Clone(list), many/2, many/2+1)
			benchmarkChange(b, policy, func(r *Roster, now time.Time, _ *Endpoint, back bool) {
				u := discovery.Update{Instances: fewer, Source: discovery.SourceLive, Confirmed: now}
				if back {
					u.Instances = list
				}
				r.Update(now, u)
			})
		})
	}
}

// BenchmarkReview tells what the review costs that is due each second while there are
// calls, of 10,000 instances of which each has some.
func BenchmarkReview(b *testing.B) {
	r := NewRoster(Options{}, Hooks{})
	now := epoch.Add(time.Hour)
	r.Update(now, discovery.Update{Instances: manyInstances(), Source: discovery.SourceLive, Confirmed: now})
	list := r.Snapshot().Endpoints
	for b.Loop() {
		b.StopTimer()
		now = now.Add(reviewInterval)
		for i := range list {
			list[i].Endpoint.Start(now)
			list[i].Endpoint.Finish(now, time.Millisecond+time.Duration(i), OutcomeAnswered)
		}
		b.StartTimer()
		r.Tick(now)
	}
}

// benchmarkChange has change done and taken back on one instance after the other. As
// in [members.Set], each is followed by a Snapshot and by a look at what is due.
func benchmarkChange(b *testing.B, policy Policy, change func(r *Roster, now time.Time, e *Endpoint, back bool)) {
	r := NewRoster(Options{Policy: policy, SlowStart: -1}, Hooks{})
	now := epoch.Add(time.Hour)
	r.Update(now, discovery.Update{Instances: manyInstances(), Source: discovery.SourceLive, Confirmed: now})
	list := r.Snapshot().Endpoints
	b.ReportAllocs()
	changes := 0
	for b.Loop() {
		e := list[changes*7919%many].Endpoint
		for _, back := range []bool{false, true} {
			// Apart enough for an ejection to end, and for no growth to be due.
			now = now.Add(2 * ejectMax)
			change(r, now, e, back)
			r.Snapshot()
			r.Tick(now)
			r.Probes(now)
			r.Next(now)
			r.Snapshot()
			changes++
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/1e6/float64(changes), "ms/change")
	b.ReportMetric(0, "ns/op")
}
