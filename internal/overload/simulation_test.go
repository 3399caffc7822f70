// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package overload

import (
	"container/heap"
	"math/rand/v2"
	"time"
)

// A simulation is a method that works on one call after the other, on virtual time:
// a lock, or one core. Its handlers heed no deadline, the worst there is.
type simulation struct {
	work    time.Duration                                 // for a call
	refusal time.Duration                                 // for one that is refused
	hang    func(time.Duration, *rand.Rand) time.Duration // waiting for something else, after the work; nil: never
	budget  time.Duration                                 // that calls have
	rate    func(time.Duration) float64                   // calls that come in a second, at random
	bare    bool                                          // no Limiter

	limiter *Limiter
	rand    *rand.Rand
	now     time.Duration
	agenda  agenda
	events  int
	busy    bool
	queue   []*simulated
	seconds []second // what came in each, as it ended
}

// A second is what happened in one.
type second struct{ good, late, refused int }

type simulated struct {
	deadline time.Duration
	refused  bool
}

func (s *simulation) run(seconds int) []second {
	s.rand = rand.New(rand.NewPCG(1, 2))
	s.seconds = make([]second, seconds)
	s.limiter = New()
	s.after(0, s.arrive)
	for {
		e := heap.Pop(&s.agenda).(event) //nolint:forcetypeassert // it holds nothing else
		if s.now = e.at; int(s.now/time.Second) >= seconds {
			return s.seconds
		}
		e.do()
	}
}

func (s *simulation) second() *second { return &s.seconds[s.now/time.Second] }

func (s *simulation) arrive() {
	s.after(time.Duration(s.rand.ExpFloat64()/s.rate(s.now)*float64(time.Second)), s.arrive)
	c := &simulated{deadline: s.now + s.budget}
	if !s.bare && !s.limiter.Begin(s.budget, Default) {
		s.second().refused++
		c.refused = true
	}
	s.queue = append(s.queue, c)
	s.next()
}

func (s *simulation) next() {
	if s.busy || len(s.queue) == 0 {
		return
	}
	c := s.queue[0]
	s.queue, s.busy = s.queue[1:], true
	work, then := s.work, func() { s.end(c) }
	switch {
	case c.refused:
		work, then = s.refusal, func() {}
	case s.hang != nil:
		hang := s.hang(s.now, s.rand)
		then = func() { s.after(hang, func() { s.end(c) }) }
	}
	s.after(work, func() {
		s.busy = false
		then()
		s.next()
	})
}

func (s *simulation) end(c *simulated) {
	late := s.now > c.deadline
	if late {
		s.second().late++
	} else {
		s.second().good++
	}
	if !s.bare {
		s.limiter.EndBy(s.limiter.made.Add(s.now), late, s.budget)
	}
}

// An event is due at a time; those at the same one come in their order.
type event struct {
	at time.Duration
	no int
	do func()
}

type agenda []event

func (s *simulation) after(d time.Duration, do func()) {
	s.events++
	heap.Push(&s.agenda, event{s.now + d, s.events, do})
}

func (a agenda) Len() int { return len(a) }

func (a agenda) Less(i, j int) bool {
	return a[i].at < a[j].at || (a[i].at == a[j].at && a[i].no < a[j].no)
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(e any)   { *a = append(*a, e.(event)) } //nolint:forcetypeassert // as heap.Interface wants it

func (a *agenda) Pop() any {
	last := len(*a) - 1
	e := (*a)[last]
	*a = (*a)[:last]
	return e
}
