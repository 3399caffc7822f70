// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"runtime"
	"sync"
	"time"
)

// maxIdleWorkers is how many goroutines wait for work with their grown stacks;
// a worker that would be one more ends.
const maxIdleWorkers = 256

// Workers run handlers on reused goroutines: as many as there are handlers
// running, and up to 256 that wait. The queue before them is bounded by the
// connections' MaxStreams.
//
// At most one worker is on its way from sleep at any time, and each that takes
// a task with more behind it wakes the next. So a burst of quick handlers runs
// on a few goroutines, and a handler that blocks holds up nobody. The idea is
// that of the Go scheduler's spinning threads (runtime/proc.go).
type Workers struct {
	wg sync.WaitGroup

	mu     sync.Mutex // guards what follows
	queue  batch      // first in, first out
	idle   []*worker  // the last to fall asleep is the first to wake: its stack is warm
	waking bool       // a worker was woken or started and has not looked at the queue yet
	yields int        // workers that let others run, and will look at the queue then
	closed bool
}

// A task is embedded in what is to be run, so that queueing does not allocate.
type task struct {
	run  func()
	next *task
}

// turn is how long a worker runs before it looks whether another one waits for a
// processor, and clockEvery, how many tasks it runs before it looks at the clock.
const (
	turn       = time.Millisecond / 2
	clockEvery = 8
)

// An origin is where a worker comes from when it looks at the queue.
type origin uint8

const (
	fromSleep origin = iota // it was woken, or is new
	fromTask
	fromYield
)

type worker struct {
	wake chan struct{} // capacity 1; closed by Close
}

// NewWorkers returns workers without goroutines: they start when needed. Their
// owner calls Close.
func NewWorkers() *Workers { return &Workers{} }

// Close waits until what was submitted has run and all goroutines have ended.
// Close the connections first.
func (w *Workers) Close() {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		for _, idle := range w.idle {
			close(idle.wake)
		}
		w.idle = nil
	}
	w.mu.Unlock()
	w.wg.Wait()
}

// A batch is a list of tasks to submit at once. The zero value is empty.
type batch struct{ head, tail *task }

func (b *batch) add(t *task) {
	t.next = nil
	if b.tail == nil {
		b.head = t
	} else {
		b.tail.next = t
	}
	b.tail = t
}

// submit runs the tasks soon, each on a worker, and empties b. It does not
// block.
func (w *Workers) submit(b *batch) {
	if b.head == nil {
		return
	}
	w.mu.Lock()
	if w.queue.tail == nil {
		w.queue.head = b.head
	} else {
		w.queue.tail.next = b.head
	}
	w.queue.tail = b.tail
	w.wakeOne()
	w.mu.Unlock()
	*b = batch{}
}

// wakeOne sees to it that somebody will look at the queue. w.mu is held.
func (w *Workers) wakeOne() {
	if w.waking || w.yields > 0 {
		return
	}
	w.waking = true
	if n := len(w.idle); n > 0 {
		next := w.idle[n-1]
		w.idle = w.idle[:n-1]
		next.wake <- struct{}{} // never blocks: capacity 1, and it was idle
		return
	}
	w.wg.Go(func() { (&worker{wake: make(chan struct{}, 1)}).loop(w) })
}

func (wk *worker) loop(w *Workers) {
	normal := false
	defer func() {
		if !normal { // a task called runtime.Goexit: the others must go on
			w.mu.Lock()
			if w.queue.head != nil {
				w.wakeOne()
			}
			w.mu.Unlock()
		}
	}()
	came, began := fromSleep, time.Since(epoch)
	for n := 1; ; n++ {
		t, stay := w.take(wk, came)
		if t != nil {
			came = fromTask
			t.run()
			if n%clockEvery == 0 && time.Since(epoch)-began > turn {
				if w.yield() {
					came = fromYield
				}
				began = time.Since(epoch)
			}
			continue
		}
		if stay {
			_, stay = <-wk.wake
		}
		if !stay {
			normal = true
			return
		}
		came, began = fromSleep, time.Since(epoch)
	}
}

// yield lets others run where a worker waits for a processor, and reports whether it
// did: fromYield is then to be told to take.
func (w *Workers) yield() bool {
	w.mu.Lock()
	starved := w.queue.head != nil && (w.waking || w.yields > 0)
	if starved {
		w.yields++
	}
	w.mu.Unlock()
	if starved {
		runtime.Gosched()
	}
	return starved
}

// take returns the next task. Without one, wk is entered as idle, or is told
// not to stay.
func (w *Workers) take(wk *worker, came origin) (t *task, stay bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch came {
	case fromSleep:
		w.waking = false
	case fromYield:
		w.yields--
	case fromTask:
	}
	t = w.queue.head
	if t == nil {
		if w.closed || len(w.idle) >= maxIdleWorkers {
			return nil, false
		}
		w.idle = append(w.idle, wk)
		return nil, true
	}
	w.queue.head, t.next = t.next, nil
	if w.queue.head == nil {
		w.queue.tail = nil
	} else {
		w.wakeOne()
	}
	return t, true
}
