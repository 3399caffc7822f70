// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package balancer

import (
	"slices"
	"sync/atomic"
)

const (
	// maxLacks bounds how many methods are noted that an instance lacks. Beyond it
	// the first is dropped, and found out again where that matters.
	maxLacks = 64

	// lackDraws is how often a policy is asked for one that does not lack the method,
	// before the candidates are gone through.
	lackDraws = 8
)

// lacks are the methods that an instance has said it does not know, on the
// connection that stands. It is replaced, never changed.
type lacks struct{ methods atomic.Pointer[[]string] }

func (l *lacks) has(method string) bool {
	list := l.methods.Load()
	return list != nil && slices.Contains(*list, method)
}

// Lacks reports whether the instance has said that it does not know the method
// ([Roster.Lacks]). It may be called from any goroutine.
func (e *Endpoint) Lacks(method string) bool { return e.slot != nil && e.slot.lacks.has(method) }

// Lacks tells that the instance does not know a method: calls of it
// (PickInfo.Method) go to those that are not known to lack it, as long as there are
// any. It holds until the connection ends or another one stands, or a younger entry
// comes; of one instance 64 methods are noted.
func (r *Roster) Lacks(e *Endpoint, method string) {
	s := r.known(e)
	if s == nil || method == "" || s.lacks.has(method) {
		return
	}
	var list []string
	if old := s.lacks.methods.Load(); old != nil {
		list = *old
	} else {
		r.watch.lacking.Add(1)
	}
	list = append(list[max(0, len(list)-maxLacks+1):len(list):len(list)], method)
	s.lacks.methods.Store(&list)
}

// learn forgets what the instance lacked: it may be another program by now.
func (r *Roster) learn(s *slot) {
	if s.lacks.methods.Swap(nil) != nil {
		r.watch.lacking.Add(-1)
	}
}

// knowing is a Picker that asks those first that are not known to lack the call's
// method.
type knowing struct {
	Picker
	watch *watch
	tiers [][]Candidate
}

// Pick implements [Picker]. Where nobody in the list lacks anything it costs one look.
func (p *knowing) Pick(info PickInfo) *Endpoint {
	e := p.Picker.Pick(info)
	if info.Method == "" || p.watch.lacking.Load() == 0 || e == nil || !e.Lacks(info.Method) {
		return e
	}
	first, tried := e, info.Tried
	for range lackDraws {
		info.Tried = append(slices.Clip(info.Tried), e)
		if e = p.Picker.Pick(info); e == nil {
			return first // they all lack it, and one of them is to say so
		}
		if !e.Lacks(info.Method) {
			return e
		}
	}
	info.Tried = tried
	for _, tier := range p.tiers {
		for i := range tier {
			if e := tier[i].Endpoint; !e.Lacks(info.Method) && !info.tried(e) {
				return e
			}
		}
	}
	return first
}
