// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"testing"
	"time"
)

// What is assumed of a link that tells nothing, step by step.
func TestLinkAssumesTheSlowest(t *testing.T) {
	const kib = 1 << 10
	var l link
	start := time.Unix(1_000_000, 0)
	for _, step := range []struct {
		at               time.Duration
		rest             bool // the monitor wakes
		taken, confirmed uint64
		want             uint64
	}{
		{0, true, 1024 * kib, 0, 0}, // an idle past carries nothing of what is new
		{time.Second, false, 1024 * kib, 0, 256 * kib},
		{1500 * time.Millisecond, false, 1024 * kib, 0, 384 * kib},
		{2 * time.Second, false, 1024 * kib, 900 * kib, 900 * kib}, // an answer has come
		{2 * time.Second, false, 1024 * kib, 0, 900 * kib},
		{3 * time.Second, false, 1024 * kib, 0, 1024 * kib}, // no more than there is
		{4 * time.Second, false, 1024 * kib, 0, 1024 * kib},
		{time.Hour, true, 2048 * kib, 1024 * kib, 1024 * kib},
		{time.Hour + time.Second, false, 2048 * kib, 1024 * kib, 1280 * kib},
		{2 * time.Hour, true, 2049 * kib, 1024 * kib, 2048 * kib}, // what is old has long arrived
		{2 * time.Hour, false, 100_000 * kib, 2048 * kib, 100_000*kib - mostUnderWay},
		{2*time.Hour + longestWay, false, 100_000 * kib, 2048 * kib, 100_000 * kib},
		{time.Hour, false, 100_001 * kib, 2048 * kib, 100_000 * kib}, // a clock that goes back carries nothing
	} {
		now := start.Add(step.at)
		if step.rest {
			l.rest(now)
		}
		if got := l.look(now, step.taken, step.confirmed); got != step.want {
			t.Errorf("after %v: %d of %d KiB have arrived, want %d", step.at, got/kib, step.taken/kib, step.want/kib)
		}
	}
}
