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
)

// A Queue is who waits for something scarce, a T. The zero value is empty. Its
// methods may be called from any goroutine; its lock is a leaf.
//
// The first comes first, as is fair where the queue is that of a moment. One that
// has not ended for pressureAfter is an overload: it would make everybody wait until
// it is nearly too late, so the newest comes first then, who has the most time left,
// and most are answered soon (adaptive LIFO, as in Maurer, "Fail at Scale", 2015).
type Queue[T any] struct {
	n atomic.Int32 // written under mu

	mu          sync.Mutex // guards what follows
	first, last *Place[T]
	since       time.Time // when it began
}

// A Place is that of one who waits in a Queue.
type Place[T any] struct {
	before, behind *Place[T]
	waits          bool
	value          T             // what it was given
	err            error         // why not
	done           chan struct{} // closed when value or err is there
}

// Len returns how many wait. It takes no lock.
func (q *Queue[T]) Len() int { return int(q.n.Load()) }

// Push stands in the queue: [Queue.Await] or [Queue.Leave] must follow. Where it is
// too long the oldest is refused with [ErrBusy].
func (q *Queue[T]) Push() *Place[T] {
	p := &Place[T]{waits: true, done: make(chan struct{})}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.n.Load() >= maxWaiting {
		var none T
		q.tell(q.first, none, q.busy("the line is as long as it may be"))
	}
	if q.n.Add(1) == 1 {
		q.since, q.first = time.Now(), p
	} else {
		q.last.behind, p.before = p, q.last
	}
	q.last = p
	return p
}

// Await returns what p is given. The wait ends with what p is refused with, with the
// context's error, and, where it is impatient, with [ErrBusy] after half of the time
// that ctx leaves.
func (q *Queue[T]) Await(ctx context.Context, p *Place[T], impatient bool) (T, error) {
	var patience <-chan time.Time
	begun := time.Now()
	if deadline, ok := ctx.Deadline(); ok && impatient {
		timer := time.NewTimer(deadline.Sub(begun) / 2)
		defer timer.Stop()
		patience = timer.C
	}
	var err error
	select {
	case <-p.done:
		return p.value, p.err
	case <-ctx.Done():
		err = contextError(ctx)
	case <-patience:
		err = q.busy(fmt.Sprintf("no place in %v, half of the time that was left", time.Since(begun).Round(time.Millisecond)))
	}
	if q.Leave(p) {
		var none T
		return none, err
	}
	<-p.done // our turn has come in this moment
	return p.value, p.err
}

// Leave takes p out. False: its turn has come.
func (q *Queue[T]) Leave(p *Place[T]) bool {
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
	close(p.done)
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

func (q *Queue[T]) busy(why string) error {
	return fmt.Errorf("%w: %d wait for a place among the calls in flight: %s", ErrBusy, q.n.Load(), why)
}
