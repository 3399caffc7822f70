// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package transport

import "sync"

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
	closed bool
}

// A task is embedded in what is to be run, so that queueing does not allocate.
type task struct {
	run  func()
	next *task
}

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
	if w.waking {
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
	woken := true
	for {
		t, stay := w.take(wk, woken)
		if t != nil {
			woken = false
			t.run()
			continue
		}
		if stay {
			_, stay = <-wk.wake
		}
		if !stay {
			normal = true
			return
		}
		woken = true
	}
}

// take returns the next task. Without one, wk is entered as idle, or is told
// not to stay.
func (w *Workers) take(wk *worker, woken bool) (t *task, stay bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if woken {
		w.waking = false
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
