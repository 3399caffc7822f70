// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-rpc/rollcall/internal/load"
	"github.com/rollcall-rpc/rollcall/internal/pause"
)

const (
	// callTimeout makes a failure of a call that would never end.
	callTimeout = 10 * time.Second

	// thinkTime is what a caller of the closed loop does between two calls.
	thinkTime = 20 * time.Millisecond
)

// A record is one call that ended.
type record struct {
	id          uint64
	begun, took time.Duration // since the ledger's epoch; of the open loop: since it should have begun
	put, open   bool
	outcome     *Outcome // nil: it was answered
}

// A ledger keeps what became of every call. Its methods may be called from any
// goroutine.
type ledger struct {
	epoch time.Time
	ids   atomic.Uint64

	mu      sync.Mutex // guards what follows
	records []record
	aside   []record      // calls that a scenario makes itself: what is said of them is to be true
	changed chan struct{} // closed with the next record; nil: nobody waits
	shed    uint64        // calls that were not begun, too many were outstanding
}

func newLedger() *ledger { return &ledger{epoch: time.Now()} }

func (l *ledger) add(r record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records = append(l.records, r)
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}

func (l *ledger) addAside(r record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.aside = append(l.aside, r)
}

// awaitOpen waits until a call of the open loop has ended that was begun after
// the time that since returns.
func (l *ledger) awaitOpen(ctx context.Context, since func() time.Duration) error {
	for seen := 0; ; {
		l.mu.Lock()
		fresh := l.records[seen:]
		if l.changed == nil {
			l.changed = make(chan struct{})
		}
		changed := l.changed
		l.mu.Unlock()
		begin := since()
		if slices.ContainsFunc(fresh, func(r record) bool { return r.open && r.begun > begin }) {
			return nil
		}
		seen += len(fresh)
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// traffic is the load of one scenario.
type traffic struct {
	ledger       *ledger
	open, closed Client
	rate         float64
	callers      int
	seed         uint64
}

// run makes both loads until ctx ends, and returns when every call has ended.
func (t *traffic) run(ctx context.Context) {
	var running sync.WaitGroup
	for i := range t.callers {
		running.Go(func() { t.caller(ctx, uint64(i)) }) //nolint:gosec // positive
	}
	if t.rate > 0 {
		shed := load.Open(ctx, load.OpenOptions{Rate: t.rate, Seed: t.seed}, func(intended time.Time) {
			t.call(ctx, t.open, rand.IntN(2) == 0, intended, true) //nolint:gosec // a choice of methods
		})
		t.ledger.mu.Lock()
		t.ledger.shed = shed
		t.ledger.mu.Unlock()
	}
	running.Wait()
}

// caller is caller i of the closed loop.
func (t *traffic) caller(ctx context.Context, i uint64) {
	rnd := rand.New(rand.NewPCG(t.seed, i)) //nolint:gosec // a choice of methods
	for pause.For(ctx, time.Duration(rnd.Int64N(int64(2*thinkTime)))) == nil {
		t.call(ctx, t.closed, rnd.IntN(2) == 0, time.Now(), false)
	}
}

// call makes one call and notes it. It is not cut off with ctx, else its end could
// not be counted.
func (t *traffic) call(ctx context.Context, client Client, isPut bool, begun time.Time, open bool) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	r := record{id: t.ledger.ids.Add(1), put: isPut, open: open, begun: begun.Sub(t.ledger.epoch)}
	outcome := client.Call(ctx, !isPut, r.id)
	r.took = time.Since(begun)
	if outcome.Err != nil {
		r.outcome = &outcome
	}
	t.ledger.add(r)
}
