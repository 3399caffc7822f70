// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"testing"
	"time"
)

// stopped is a clock that stands still.
type stopped struct{ systemClock }

var at = time.Unix(1_800_000_000, 0)

func (stopped) Now() time.Time { return at }

// A server in memory that was killed and started again within the same second
// began with the same zxid: clients of its earlier life had seen the future, and
// were turned away for ever instead of being told that their session expired.
func TestFirstZxidGrowsWithinASecond(t *testing.T) {
	var last int64
	for _, after := range []time.Duration{0, time.Millisecond, 500 * time.Millisecond, time.Second - 1, time.Second} {
		at = time.Unix(1_800_000_000, 0).Add(after)
		s, err := New(Options{Clock: stopped{}})
		if err != nil {
			t.Fatal(err)
		}
		first := s.version.Load().Zxid()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if first <= last {
			t.Errorf("after %v the first zxid is 0x%x, not above 0x%x", after, first, last)
		}
		last = first
	}
	s, err := New(Options{Epoch: 7})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got := s.version.Load().Zxid(); got != 7<<32 {
		t.Errorf("the first zxid of epoch 7 is 0x%x, want 0x%x", got, int64(7)<<32)
	}
}
