// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package conformance_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/go-zookeeper/zk"
	"golang.org/x/sync/errgroup"
)

// goLock has ten sessions take one lock in turn, several times each.
func goLock(t *testing.T, s server, base string) {
	const holders, rounds = 10, 3
	var inside, entered atomic.Int32
	var group errgroup.Group
	for range holders {
		c := dialGo(t, s.Addr(), longSession)
		group.Go(func() error {
			lock := zk.NewLock(c.Conn, base+"/lock", open)
			for range rounds {
				if err := lock.Lock(); err != nil {
					return err
				}
				if n := inside.Add(1); n != 1 {
					return fmt.Errorf("%d hold the lock", n)
				}
				// The next in line is told by a watch; a round trip gives a
				// wrong holder the time to show up.
				if _, err := c.Sync(base); err != nil {
					return err
				}
				entered.Add(1)
				inside.Add(-1)
				if err := lock.Unlock(); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := entered.Load(); got != holders*rounds {
		t.Errorf("the lock was held %d times, want %d", got, holders*rounds)
	}
}
