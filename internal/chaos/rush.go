// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/internal/load"
)

const (
	// holding is how long a handler of hold has the server's one lock: what a server
	// can do does not hang on the CPU, which all share here.
	holding = 5 * time.Millisecond

	// patience is the time that calls of hold have.
	patience = 500 * time.Millisecond

	rushLoad  = 1.5 // of what can be done
	lowLoad   = 0.5 // likewise, that follows
	rushTime  = 6 * time.Second
	afterTime = 2 * time.Second
	recovery  = time.Second // from the end of the rush until every call is in time; more than patience

	// goodShare is how much of what can be done is done in time in a rush, which
	// includes the time in which it is noticed that calls are late.
	goodShare = 0.7
)

// A rush is calls of hold, beside the traffic, and how they have ended since that was
// last taken.
type rush struct {
	client rollcallClient
	ledger *ledger
	seed   uint64

	mu   sync.Mutex // guards ends
	ends rushEnds
}

// rushEnds are how many calls ended in time, were refused as BUSY, were too late, or
// ended in a way that is not foreseen.
type rushEnds struct{ good, busy, late, failed int }

func (e *rushEnds) calls() int { return e.good + e.busy + e.late + e.failed }

// call makes a call that was due at a time.
func (r *rush) call(ctx context.Context, due time.Time) {
	deadline := due.Add(patience)
	ctx, cancel := context.WithDeadline(context.WithoutCancel(ctx), deadline)
	defer cancel()
	id := r.ledger.ids.Add(1)
	outcome := r.client.invoke(ctx, hold, id)
	r.mu.Lock()
	r.ends.count(outcome.Err, time.Now().After(deadline))
	r.mu.Unlock()
	rec := record{id: id, put: true}
	if outcome.Err != nil {
		rec.outcome = &outcome
	}
	r.ledger.addAside(rec)
}

// count counts a call by its error and whether its deadline has passed.
func (e *rushEnds) count(err error, passed bool) {
	failed, _ := errors.AsType[*rollcall.Error](err)
	switch {
	case err == nil && !passed:
		e.good++
	case failed != nil && failed.Reason == rollcall.ReasonBusy && failed.Executed == rollcall.ExecutedNo:
		e.busy++
	case err == nil || (failed != nil && failed.Code == rollcall.CodeDeadlineExceeded):
		e.late++
	default:
		e.failed++
	}
}

// take returns how calls have ended, and begins anew.
func (r *rush) take() rushEnds {
	r.mu.Lock()
	defer r.mu.Unlock()
	ends := r.ends
	r.ends = rushEnds{}
	return ends
}

// closed lets so many callers make one call after the other for a while, and returns
// how many ended in time in a second.
func (r *rush) closed(ctx context.Context, callers int, during time.Duration) float64 {
	begun := time.Now()
	var calling sync.WaitGroup
	for range callers {
		calling.Go(func() {
			for time.Since(begun) < during && ctx.Err() == nil {
				r.call(ctx, time.Now())
			}
		})
	}
	calling.Wait()
	ends := r.take()
	return float64(ends.good) / time.Since(begun).Seconds()
}

// open makes so many calls a second for a while, and returns how those ended that were
// due then.
func (r *rush) open(ctx context.Context, rate float64, during time.Duration) rushEnds {
	ctx, cancel := context.WithTimeout(ctx, during)
	defer cancel()
	load.Open(ctx, load.OpenOptions{Rate: rate, Seed: r.seed}, func(due time.Time) { r.call(ctx, due) })
	return r.take()
}

// overload asks the servers for more than they can do, which it measures first, and
// then for less.
func overload(ctx context.Context, s *stage) error {
	client, err := newRollcall(s.target)
	if err != nil {
		return err
	}
	defer client.Close() // no call is under way
	bounded, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	if _, err := awaitView(bounded, client, func(v View) bool { return len(v.Usable) == len(s.servers) }); err != nil {
		return err
	}
	r := &rush{client: client, ledger: s.traffic.ledger, seed: s.cfg.Seed}
	var can float64
	for range 2 { // the first makes connections
		can = r.closed(ctx, 4*len(s.servers), time.Second)
	}
	if can == 0 {
		return fmt.Errorf("no call of %s was answered within %v while nothing was wrong", hold.Name, patience)
	}
	s.strike(ctx)
	during := max(s.cfg.Duration, rushTime)
	begun := time.Now()
	ends := r.open(ctx, rushLoad*can, during)
	r.open(ctx, lowLoad*can, recovery-min(time.Since(begun)-during, recovery))
	after := r.open(ctx, lowLoad*can, max(s.cfg.Duration/2, afterTime))
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	s.heal()
	s.measured("calls a second that can be done", can)
	s.measured("calls a second that were offered", float64(ends.calls())/during.Seconds())
	s.atLeast("share of what can be done that was in time", float64(ends.good)/during.Seconds()/can, goodShare)
	s.measured("refused as BUSY, not executed", float64(ends.busy))
	s.measured("too late", float64(ends.late))
	s.atMost("failed otherwise", float64(ends.failed+after.failed), 0)
	s.measured("calls from 1 s after it on", float64(after.calls()))
	s.atMost("calls from 1 s after it on that were not in time", float64(after.calls()-after.good), 0)
	return nil
}
