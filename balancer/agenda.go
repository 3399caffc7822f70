// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package balancer

import (
	"cmp"
	"container/heap"
	"slices"
	"time"
)

// An agenda knows which slots are due when: a heap, with the earliest at its root. The
// zero value is empty.
type agenda struct{ list appointments }

type appointments []appointment

type appointment struct {
	due  time.Time
	slot *slot
}

// set notes when the slot is due; zero: never.
func (a *agenda) set(s *slot, due time.Time) {
	switch i := s.appointment - 1; {
	case i < 0 && due.IsZero():
	case i < 0:
		heap.Push(&a.list, appointment{due, s})
	case due.IsZero():
		heap.Remove(&a.list, i)
	case !a.list[i].due.Equal(due):
		a.list[i].due = due
		heap.Fix(&a.list, i)
	}
}

// next returns when the first slot is due; zero: none ever is.
func (a *agenda) next() time.Time {
	if len(a.list) == 0 {
		return time.Time{}
	}
	return a.list[0].due
}

// due returns the slots that are due, in their order in the Roster.
func (a *agenda) due(now time.Time) []*slot {
	var list []*slot
	var visit func(i int)
	visit = func(i int) {
		if i < len(a.list) && !now.Before(a.list[i].due) {
			list = append(list, a.list[i].slot)
			visit(2*i + 1)
			visit(2*i + 2)
		}
	}
	visit(0)
	return inOrderOfList(list)
}

// all returns those slots, of all that are due some time, in their order in the Roster.
func (a *agenda) all(which func(*slot) bool) []*slot {
	var list []*slot
	for i := range a.list {
		if s := a.list[i].slot; which(s) {
			list = append(list, s)
		}
	}
	return inOrderOfList(list)
}

func inOrderOfList(list []*slot) []*slot {
	slices.SortFunc(list, func(a, b *slot) int { return cmp.Compare(a.at, b.at) })
	return list
}

// Len implements [heap.Interface], as the methods below do.
func (a appointments) Len() int { return len(a) }

func (a appointments) Less(i, j int) bool { return a[i].due.Before(a[j].due) }

func (a appointments) Swap(i, j int) {
	a[i], a[j] = a[j], a[i]
	a[i].slot.appointment, a[j].slot.appointment = i+1, j+1
}

func (a *appointments) Push(x any) {
	next := x.(appointment)
	*a = append(*a, next)
	next.slot.appointment = len(*a)
}

func (a *appointments) Pop() any {
	last := len(*a) - 1
	was := (*a)[last]
	(*a)[last] = appointment{}
	*a = (*a)[:last]
	was.slot.appointment = 0
	return was
}
