// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

// Package hook is the way on which tests reach into the embedded registry: package
// zktest gives a context with a [Slot] to the server's Serve, and the server asks
// what is in the slot about each request. It is not part of what users of the
// server see.
//
//	var slot hook.Slot
//	go srv.Serve(hook.NewContext(ctx, &slot), listener)
//	slot.Set(func(r *hook.Request) hook.Verdict { … })
//
// # Concurrency
//
// The methods of [Slot] may be called from any goroutine.
package hook

import (
	"context"
	"sync/atomic"
)

// A Func is asked about every request of a session before it is served. It is
// called on the goroutine of the connection and may block: that holds back what
// stands behind the request on this connection, pings included, and nothing else.
// It must return when Ended is closed.
type Func func(r *Request) Verdict

// A Slot holds the function that is asked. The zero value holds none.
type Slot struct{ f atomic.Pointer[Func] }

// Set has f asked from the next request on; nil: nobody.
func (s *Slot) Set(f Func) {
	if f == nil {
		s.f.Store(nil)
		return
	}
	s.f.Store(&f)
}

// Get returns the function to ask, or nil. A nil Slot holds none.
func (s *Slot) Get() Func {
	if s == nil {
		return nil
	}
	if f := s.f.Load(); f != nil {
		return *f
	}
	return nil
}

type slotKey struct{}

// NewContext returns a context for the server's Serve, whose connections ask what
// is in the slot.
func NewContext(ctx context.Context, s *Slot) context.Context {
	return context.WithValue(ctx, slotKey{}, s)
}

// FromContext returns the slot of a context, nil if there is none.
func FromContext(ctx context.Context) *Slot {
	s, _ := ctx.Value(slotKey{}).(*Slot)
	return s
}
