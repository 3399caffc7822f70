// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"math"
	"sync/atomic"
	"time"
)

// A usage tells whether anything is in hand on a connection of a foreign format or of
// HTTP, and since when not, so that such a connection can give way without losing a
// request. Its methods may be called from any goroutine.
type usage struct {
	inHand atomic.Int64 // requests; far below 0: it is over
	last   atomic.Int64 // when something has happened, in ns since 1970; 0: nothing has
}

// usageOver is what a usage counts from when it is over.
const usageOver = math.MinInt64 / 2

// begin takes a request in hand, whose end must follow. False: the connection is
// closing, and the request is not to be begun.
func (u *usage) begin() bool {
	if u == nil {
		return true
	}
	if u.inHand.Add(1) > 0 {
		return true
	}
	u.inHand.Add(-1)
	return false
}

// end ends a request that was begun.
func (u *usage) end() {
	if u == nil {
		return
	}
	u.touch()
	u.inHand.Add(-1)
}

// touch notes that something happens on the connection.
func (u *usage) touch() { u.last.Store(time.Now().UnixNano()) }

// over lets no request begin any more. False: one is in hand.
func (u *usage) over() bool { return u.inHand.CompareAndSwap(0, usageOver) }

// isOver reports whether no request is to be begun.
func (u *usage) isOver() bool { return u != nil && u.inHand.Load() < 0 }

// rests reports whether nothing is in hand, and since when.
func (u *usage) rests() (since time.Time, ok bool) {
	if last := u.last.Load(); last != 0 {
		since = time.Unix(0, last)
	}
	return since, u.inHand.Load() == 0
}
