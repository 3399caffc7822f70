// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/balancer"
)

// Calls beyond what a connection carries go to another instance, and where all
// are full to a second connection, on which they wait their turn: none fails, and
// none costs a retry.
func TestFullConnectionsAreWaitedFor(t *testing.T) {
	const calls = 100
	for _, servers := range []int{1, 2} {
		tr := newTrial(t)
		tr.work = func(context.Context, uint64) { time.Sleep(10 * time.Millisecond) }
		synctest.Test(t, func(t *testing.T) {
			tr.t = t
			var list []*trialServer
			for i := range servers {
				list = append(list, tr.serve(fmt.Sprintf("server%d:1", i), rollcall.ServerOptions{MaxStreams: 5}))
			}
			c := tr.client(rollcall.ClientOptions{Balancing: balancer.Options{Policy: balancer.RoundRobin}})
			synctest.Wait()
			for id := range uint64(2) { // connects to all
				if err := tr.call(context.Background(), c, id, 0, false, rollcall.CallOptions{}); err != nil {
					t.Error(err)
				}
			}
			before, begun := c.State().RetriesLeft, time.Now()
			var wg sync.WaitGroup
			for i := range uint64(calls) {
				wg.Go(func() {
					if err := tr.call(context.Background(), c, 100+i, 0, false, rollcall.CallOptions{}); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			// In as many rounds as there are, and one for those who chose the longer line.
			if most := time.Duration(calls/5/servers/2+1) * 10 * time.Millisecond; time.Since(begun) > most {
				t.Errorf("%d servers: took %v, want at most %v", servers, time.Since(begun), most)
			}
			if left := c.State().RetriesLeft; left < before {
				t.Errorf("%d servers: %v retries left of %v", servers, left, before)
			}
			c.Close()
			for _, s := range list {
				s.Close()
			}
		})
		for _, wrong := range tr.check() {
			t.Error(wrong)
		}
	}
}

// A call that gets no place on any connection in half of its time is told so,
// while it has time left to do something else: nothing was executed, and nothing
// is held against the instance.
func TestNoPlaceInTime(t *testing.T) {
	tr := newTrial(t)
	tr.work = func(context.Context, uint64) { time.Sleep(10 * time.Second) }
	synctest.Test(t, func(t *testing.T) {
		tr.t = t
		s := tr.serve("server:1", rollcall.ServerOptions{MaxStreams: 1})
		c := tr.client(rollcall.ClientOptions{})
		var held sync.WaitGroup
		for id := range uint64(2) { // one on each of the connections that there may be
			held.Go(func() {
				if err := tr.call(context.Background(), c, id, 0, false, rollcall.CallOptions{}); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		begun := time.Now()
		err := tr.call(context.Background(), c, 2, 0, false, rollcall.CallOptions{Timeout: 2 * time.Second})
		var typed *rollcall.Error
		if !errors.As(err, &typed) || typed.Code != rollcall.CodeUnavailable || typed.Reason != rollcall.ReasonBusy || typed.Executed != rollcall.ExecutedNo {
			t.Errorf("got %v, want Unavailable BUSY, not executed", err)
		}
		if took := time.Since(begun); took != time.Second {
			t.Errorf("told after %v, want half of 2 s", took)
		}
		if counts := c.State().Counts; counts.Usable != 1 {
			t.Errorf("got %+v, want the instance usable", counts)
		}
		held.Wait()
		c.Close()
		s.Close()
	})
	for _, wrong := range tr.check() {
		t.Error(wrong)
	}
}
