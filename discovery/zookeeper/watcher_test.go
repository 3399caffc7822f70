// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zookeeper

import (
	"testing"
	"time"
)

// TestListWaitsForItsWatch: who comes while the watch of the last one is being taken
// off the server gets a list when there is a watch again, and no other before.
func TestListWaitsForItsWatch(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.fake.connect()
		b.addMany(0, 1)
		b.watch()
		b.want(b.after(time.Second), "live 1 false")
		release := b.fake.hold(&b.fake.holdEnds)
		b.stop()
		b.after(time.Second)
		b.fake.counts()
		b.watch()
		stopFirst := b.stop
		b.watch()
		b.want(b.after(time.Second-1), "")
		release()
		b.want(b.after(0), "live 1 false, live 1 false")
		if lists, _ := b.fake.counts(); lists != 1 {
			t.Errorf("got %d lists, want 1", lists)
		}
		stopFirst()
	})
}
