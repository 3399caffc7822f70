// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zktest

import (
	"slices"
	"sync"

	"github.com/rollcall-rpc/rollcall/zk/internal/hook"
)

// An Injection is a hook at work, see [Server.Inject].
type Injection struct {
	server *Server

	asking sync.Mutex // held while hook is called
	hook   Hook

	mu    sync.Mutex // guards what follows
	count int
	waits []happening
}

// A happening is a wait for a number of faults.
type happening struct {
	n    int
	done chan struct{}
}

// Inject has the hook asked about every request, until [Injection.Remove] or the
// end of the test, over restarts. Of several hooks the one injected first is asked
// first; the others are asked only if it lets the request pass.
func (s *Server) Inject(hook Hook) *Injection {
	in := &Injection{server: s, hook: hook}
	s.changeHooks(func(all []*Injection) []*Injection { return append(all, in) })
	return in
}

// Remove has the hook asked no more. What it holds back stays held back.
func (in *Injection) Remove() {
	in.server.changeHooks(func(all []*Injection) []*Injection {
		return slices.DeleteFunc(all, func(other *Injection) bool { return other == in })
	})
}

// Count returns how many faults have happened.
func (in *Injection) Count() int {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.count
}

// Happened returns a channel that is closed when n faults have happened. One has
// happened when its request is held back, lost, or answered with its error, when
// it was carried out and will not be answered, or when its session has ended.
func (in *Injection) Happened(n int) <-chan struct{} {
	in.mu.Lock()
	defer in.mu.Unlock()
	done := make(chan struct{})
	in.waits = append(in.waits, happening{n, done})
	in.tell()
	return done
}

// happened counts a fault.
func (in *Injection) happened() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.count++
	in.tell()
}

// tell ends the waits that are over. Called with mu held.
func (in *Injection) tell() {
	in.waits = slices.DeleteFunc(in.waits, func(h happening) bool {
		over := in.count >= h.n
		if over {
			close(h.done)
		}
		return over
	})
}

// changeHooks replaces the hooks by what f makes of a copy.
func (s *Server) changeHooks(f func([]*Injection) []*Injection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.injections = f(slices.Clone(s.injections))
	s.setHook()
}

// setHook has the server underneath ask the hooks there are. Called with mu held.
func (s *Server) setHook() {
	all := s.injections
	if len(all) == 0 {
		s.hooks.Set(nil)
		return
	}
	s.hooks.Set(func(r *hook.Request) hook.Verdict { return s.ask(all, (*Request)(r)) })
}

// ask asks hooks about a request, until one has a fault for it.
func (s *Server) ask(all []*Injection, r *Request) hook.Verdict {
	for _, in := range all {
		in.asking.Lock()
		f := in.hook(r)
		in.asking.Unlock()
		switch {
		case f == Pass:
		case f.kind == hook.None:
			in.happened()
			f.hold(r, s.after)
			return hook.Verdict{}
		default:
			return hook.Verdict{Fault: f.kind, Err: f.err, Done: in.happened}
		}
	}
	return hook.Verdict{}
}
