// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zookeeper

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall/zk"
)

// TestRefusedReadIsRetried: nothing tells when a node may be read again, nor what
// became of it meanwhile: it is asked for, at first after 10 s, then each minute.
func TestRefusedReadIsRetried(t *testing.T) {
	inBubble(t, func(b *bubble) {
		refuse := func(err error) {
			b.fake.mu.Lock()
			defer b.fake.mu.Unlock()
			b.fake.getError = err
		}
		refuse(zk.ErrNoAuth)
		b.fake.connect()
		b.addMany(0, 3)
		b.watch()
		updates := b.after(time.Second)
		b.want(updates, "live 0 false")
		if len(updates[0].Skipped) != 3 || !errors.Is(updates[0].Skipped[0].Err, zk.ErrNoAuth) {
			t.Errorf("got skipped %v, want three that are refused", updates[0].Skipped)
		}
		b.fake.counts()
		for _, c := range []struct {
			after time.Duration
			gets  int
		}{{8 * time.Second, 0}, {2 * time.Second, 3}, {18 * time.Second, 0}, {2 * time.Second, 3}, {3 * time.Minute, 3 * 3}} {
			b.want(b.after(c.after), "")
			if _, gets := b.fake.counts(); gets != c.gets {
				t.Errorf("got %d reads in %v more, want %d", gets, c.after, c.gets)
			}
		}
		b.fake.disconnect()
		b.after(10 * time.Minute)
		if _, gets := b.fake.counts(); gets != 0 {
			t.Errorf("got %d reads without a connection, want none", gets)
		}
		b.fake.connect()
		b.after(time.Minute + time.Second)
		b.fake.quietly("server0000000001", data(999), 2)
		b.fake.remove("server0000000002")
		refuse(nil)
		updates = b.after(time.Minute)
		if last := updates[len(updates)-1]; len(last.Instances) != 2 || !slices.Contains(ports(last), 999) || len(last.Skipped) != 0 {
			t.Errorf("got %q, ports %v, skipped %v", story(updates), ports(last), last.Skipped)
		}
		b.fake.counts()
		b.after(4 * time.Minute)
		if _, gets := b.fake.counts(); gets > 3 { // the slow re-read
			t.Errorf("got %d reads when nothing is refused any more", gets)
		}
	})
}

// TestRefusedOverridesAreRetried: where the watch is granted and the read is not,
// nothing tells when it would be.
func TestRefusedOverridesAreRetried(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.fake.orders.refuse = zk.ErrNoAuth
		b.fake.order(drainDoc(2))
		b.fake.connect()
		b.addMany(0, 2)
		b.watch()
		b.want(b.after(time.Second), "live 2 false")
		b.fake.mu.Lock()
		b.fake.orders.refuse = nil
		b.fake.mu.Unlock()
		updates := b.after(10 * time.Second)
		b.want(updates, "live 2 false")
		if got := shown(updates[0]); got != "1 2d" {
			t.Errorf("got %q, want the order", got)
		}
	})
}
