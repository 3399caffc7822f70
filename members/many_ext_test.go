// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package members_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-rpc/rollcall/balancer"
	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/members"
)

// A counted policy knows how often it has made a Picker.
type counted struct {
	balancer.Policy
	made *atomic.Int64
	wait func()
}

func (c counted) NewPicker(list []balancer.Candidate, rnd func() float64) balancer.Picker {
	c.made.Add(1)
	c.wait()
	return c.Policy.NewPicker(list, rnd)
}

// Where a rack failed, a snapshot was made for each of its servers, one after the
// other, and who waited for a connection to the last one waited for all of them.
func TestManyFailuresAtOnceMakeFewSnapshots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const many = 500
		var made atomic.Int64
		making, goOn := make(chan struct{}, 1), make(chan struct{})
		slow := atomic.Bool{}
		policy := counted{balancer.P2C, &made, func() {
			if slow.CompareAndSwap(true, false) {
				making <- struct{}{}
				<-goOn
			}
		}}
		names := make([]string, 2*many)
		for i := range names {
			names[i] = fmt.Sprintf("s%03d", i)
		}
		l := make(lists)
		set, _ := start(t, members.Options{Resolver: l, Balancing: balancer.Options{Policy: policy}})
		l <- listOf(names...)
		synctest.Wait()
		before, changed := set.Current()
		made.Store(0)
		slow.Store(true)
		var tellers sync.WaitGroup
		var telling atomic.Int64
		for i := range many {
			tellers.Go(func() {
				telling.Add(1)
				set.Failed(before.Endpoints[i].Endpoint, false)
			})
			if i == 0 {
				<-making // the others come while it is made
			}
		}
		for telling.Load() < many {
			runtime.Gosched()
		}
		// Who looks at what is known waits for nobody.
		if now, _ := set.Current(); now != before {
			t.Error("got another snapshot, want that before until the next one is made")
		}
		close(goOn)
		tellers.Wait()
		<-changed // or the test hangs
		if got := set.Snapshot().Counts.SetAside; got != many {
			t.Errorf("told: got %d set aside, want all %d", got, many)
		}
		// For the first, and for all others together; but for who has not yet come as far
		// as to wait. There are pickers of who is usable and of who is not.
		if got := made.Load(); got > many/5 {
			t.Errorf("%d failures: got %d pickers made, want far fewer", many, got)
		}
	})
}

// Changes of long lists are found at their places: the rest is looked up.
func TestChangesAreThoseOfALookUp(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	roster := balancer.NewRoster(balancer.Options{LingerFor: time.Second}, balancer.Hooks{Attach: func(e *balancer.Endpoint) any {
		if e.Instance.Port%2 == 0 {
			return nil
		}
		return e.Instance.Host
	}})
	now := time.Now()
	var list []discovery.Instance
	for step := range 400 {
		before := roster.Snapshot()
		now = now.Add(300 * time.Millisecond)
		for range rnd.IntN(4) {
			switch rnd.IntN(3) {
			case 0:
				host := fmt.Sprint("h", rnd.IntN(40))
				in := discovery.Instance{Name: fmt.Sprint("n", step), Host: host, Port: 1 + len(host)%2, Weight: 1, Revision: int64(step)}
				list = slices.Insert(slices.Clone(list), rnd.IntN(len(list)+1), in)
			case 1:
				if len(list) > 0 {
					i := rnd.IntN(len(list))
					list = slices.Delete(slices.Clone(list), i, i+1)
				}
			default:
				if all := roster.Snapshot().Endpoints; len(all) > 0 {
					roster.Silent(now, all[rnd.IntN(len(all))].Endpoint, rnd.IntN(2) == 0)
				}
			}
			roster.Update(now, discovery.Update{Instances: list, Source: discovery.SourceLive})
		}
		after := roster.Snapshot()
		got := map[string]string{}
		for _, c := range members.Changes(before, after) {
			got[c.Endpoint.Instance.Addr()] += fmt.Sprint(c.From, " to ", c.To)
		}
		want := map[string]string{}
		state := func(s *balancer.Snapshot, addr string) (is balancer.State) {
			for _, e := range s.Endpoints {
				if e.Endpoint.Instance.Addr() == addr {
					is = e.State
				}
			}
			return is
		}
		for _, s := range []*balancer.Snapshot{before, after} {
			for _, e := range s.Endpoints {
				addr := e.Endpoint.Instance.Addr()
				if from, to := state(before, addr), state(after, addr); from != to {
					want[addr] = fmt.Sprint(from, " to ", to)
				}
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("step %d: got %v, want %v", step, got, want)
		}
	}
}
