// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// The bounds of a [Queue].
const (
	// maxWaiting is how many stand in it; beyond that the oldest goes when one comes.
	maxWaiting = 10_000
	// pressureAfter is how long it may be without end before the newest come first.
	pressureAfter = 100 * time.Millisecond
	// sweepEvery is how often those are looked for whose patience has ended.
	sweepEvery = 10 * time.Millisecond
)

// A Queue is who waits for something scarce, a T. The zero value is empty. Its
// methods may be called from any goroutine; its lock is a leaf.
//
// The first comes first, as is fair where the queue is that of a moment. One that
// has not ended for pressureAfter is an overload: it would make everybody wait until
// it is nearly too late, so the newest comes first then, who has the most time left,
// and most are answered soon (adaptive LIFO, as in Maurer, "Fail at Scale", 2015).
type Queue[T any] struct {
	n     atomic.Int32 // written under mu
	spare sync.Pool    // of *Place[T]: a channel made in a testing/synctest bubble must not leave it

	mu          sync.Mutex // guards what follows
	first, last *Place[T]
	since       time.Time // when it began
	sweeping    bool      // a timer looks for those whose patience has ended
	looked      time.Time // when the last came who was to look
}

// A Place is that of one who waits in a Queue.
type Place[T any] struct {
	before, behind *Place[T]
	begun          time.Time
	until          time.Time // when its patience ends; zero: never
	looks          bool      // it is the first, or the first for a while: see whether something is free
	waits          bool
	value          T             // what it was given
	err            error         // why not
	done           chan struct{} // capacity 1: value or err is there
}

// Len returns how many wait. It takes no lock.
func (q *Queue[T]) Len() int { return int(q.n.Load()) }

// Push stands in the queue: [Queue.Await] must follow. Where it is too long
// the oldest is refused with [ErrBusy]; so is who is impatient and has waited for half of
// the time that ctx leaves.
func (q *Queue[T]) Push(ctx context.Context, impatient bool) *Place[T] {
	now := time.Now()
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.n.Load() >= maxWaiting {
		var none T
		q.tell(q.first, none, q.busy("and no more may"))
	}
	p, ok := q.spare.Get().(*Place[T])
	if !ok {
		p = &Place[T]{done: make(chan struct{}, 1)}
	}
	p.begun, p.waits = now, true
	if deadline, bounded := ctx.Deadline(); bounded && impatient {
		p.until = now.Add(deadline.Sub(now) / 2)
		q.sweepLater()
	}
	if q.n.Add(1) == 1 {
		q.since, q.first = now, p
	} else {
		q.last.behind, p.before = p, q.last
	}
	q.last = p
	if p.looks = q.first == p || now.Sub(q.looked) > pressureAfter; p.looks {
		q.looked = now
	}
	return p
}

// sweepLater sees to it that those whose patience ends are told, one timer for all of
// them. mu is held.
func (q *Queue[T]) sweepLater() {
	if q.sweeping {
		return
	}
	q.sweeping = true
	time.AfterFunc(sweepEvery, func() {
		now := time.Now()
		q.mu.Lock()
		defer q.mu.Unlock()
		q.sweeping = false
		var none T
		for p := q.first; p != nil; {
			next := p.behind
			if !p.until.IsZero() && !now.Before(p.until) {
				q.tell(p, none, &busyError{waiting: q.Len(), patience: now.Sub(p.begun)})
			}
			p = next
		}
		if q.first != nil {
			q.sweepLater()
		}
	})
}

// Await returns what p is given, whose place it ends. The wait ends with what p is
// refused with, or with the context's error.
func (q *Queue[T]) Await(ctx context.Context, p *Place[T]) (T, error) {
	select {
	case <-p.done:
	case <-ctx.Done():
		if q.leave(p) {
			q.forget(p)
			var none T
			return none, contextError(ctx)
		}
		<-p.done // our turn has come in this moment
	}
	value, err := p.value, p.err
	q.forget(p)
	return value, err
}

// forget lets p be used again. Nobody knows it any more, and its done is empty.
func (q *Queue[T]) forget(p *Place[T]) {
	*p = Place[T]{done: p.done}
	q.spare.Put(p)
}

// leave takes p out. False: its turn has come.
func (q *Queue[T]) leave(p *Place[T]) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !p.waits {
		return false
	}
	q.remove(p)
	return true
}

// Give gives v to whose turn it is; false: nobody waits.
func (q *Queue[T]) Give(v T) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	p := q.first
	switch {
	case p == nil:
		return false
	case p != q.last && time.Since(q.since) > pressureAfter:
		p = q.last
	}
	q.tell(p, v, nil)
	return true
}

// Refuse sends the n oldest away, with the error.
func (q *Queue[T]) Refuse(n int, why error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	var none T
	for ; n > 0 && q.first != nil; n-- {
		q.tell(q.first, none, why)
	}
}

// tell takes p out and ends its waiting. mu is held.
func (q *Queue[T]) tell(p *Place[T], v T, err error) {
	q.remove(p)
	p.value, p.err = v, err
	p.done <- struct{}{}
}

// remove takes p out. mu is held.
func (q *Queue[T]) remove(p *Place[T]) {
	if p.before != nil {
		p.before.behind = p.behind
	} else {
		q.first = p.behind
	}
	if p.behind != nil {
		p.behind.before = p.before
	} else {
		q.last = p.before
	}
	p.before, p.behind, p.waits = nil, nil, false
	q.n.Add(-1)
}

func (q *Queue[T]) busy(why string) error { return &busyError{waiting: q.Len(), why: why} }

// A busyError is ErrBusy with what it was like. Its text is written only where it is
// read, for there are many of them when they are least wanted.
type busyError struct {
	waiting  int
	why      string        // empty: of patience
	patience time.Duration // that came to nothing
}

func (e *busyError) Error() string {
	why := e.why
	if why == "" {
		why = fmt.Sprintf("no place in %v, half of the time that was left", e.patience.Round(time.Millisecond))
	}
	return fmt.Sprintf("%v: %d wait for a place among the calls in flight: %s", ErrBusy, e.waiting, why)
}

func (e *busyError) Unwrap() error { return ErrBusy }
