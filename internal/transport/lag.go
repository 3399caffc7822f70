// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"sync/atomic"
	"time"
)

// How long a goroutine that can run may wait for a processor: an overload is what has
// been longer than mostLag for lagLasts without a break. The two are CoDel's target and
// interval (RFC 8289).
const (
	mostLag  = 5 * time.Millisecond
	lagLasts = 100 * time.Millisecond
)

// epoch is an instant of no meaning.
var epoch = time.Now()

// A lag is how long those wait for a processor who could run. It is measured where the
// flusher of a connection lets others run, for it comes back when it is its turn again.
// The zero value is one that nobody has measured.
type lag struct {
	since atomic.Int64 // when it became too long, since epoch; 0: it is not
}

// observe notes a wait that began at begun, since epoch.
func (l *lag) observe(begun time.Duration) {
	switch wait := time.Since(epoch) - begun; {
	case wait > mostLag:
		l.since.CompareAndSwap(0, int64(begun))
	case l.since.Load() != 0:
		l.since.Store(0)
	}
}

// lasts reports whether the waits have been too long for long.
func (l *lag) lasts() bool {
	since := l.since.Load()
	return since != 0 && time.Since(epoch)-time.Duration(since) >= lagLasts
}
