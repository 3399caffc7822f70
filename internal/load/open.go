// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// OpenOptions say what [Open] does.
type OpenOptions struct {
	Rate float64 // calls per second on average; above 0
	Seed uint64  // of the moments: the same seed gives the same pauses

	// MaxOutstanding bounds the calls that have begun and not ended. 0: 20,000.
	MaxOutstanding int
}

const defaultMaxOutstanding = 20_000

// Open makes open-loop load: calls begin at the moments of a Poisson process,
// whether or not earlier ones have ended, so that a server that stalls cannot
// slow down those who would have called it. Each call runs on a goroutine of its
// own and is told when it should have begun; latency that is counted from that
// moment leaves nothing out, the lateness of this generator included, which is
// up to 1 ms on an idle machine.
//
// Open calls until ctx ends and returns when every call has. shed is how many
// calls were not begun because too many were outstanding: they count as failed.
func Open(ctx context.Context, opts OpenOptions, call func(intended time.Time)) (shed uint64) {
	most := int64(opts.MaxOutstanding)
	if most == 0 {
		most = defaultMaxOutstanding
	}
	rnd := rand.New(rand.NewPCG(opts.Seed, 0)) //nolint:gosec // moments, not secrets
	gap := func() time.Duration { return time.Duration(rnd.ExpFloat64() / opts.Rate * float64(time.Second)) }
	var calls sync.WaitGroup
	defer calls.Wait()
	var outstanding atomic.Int64
	timer := time.NewTimer(0)
	defer timer.Stop()
	for next := time.Now().Add(gap()); ctx.Err() == nil; {
		// All that are due, for timers are late; what is shed keeps its moment too, or
		// the rate would sink with the server.
		for now := time.Now(); !next.After(now); next = next.Add(gap()) {
			if outstanding.Load() >= most {
				shed++
				continue
			}
			outstanding.Add(1)
			intended := next
			calls.Go(func() {
				defer outstanding.Add(-1)
				call(intended)
			})
		}
		timer.Reset(time.Until(next))
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	return shed
}
