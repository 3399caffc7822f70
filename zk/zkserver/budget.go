// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A budget is the memory that connections share for what is on its way to clients
// that do not read and from clients that do not send all. Who holds little is not
// counted, so that what flows costs nothing.
type budget struct {
	limit    int64 // in bytes
	used     atomic.Int64
	begin    time.Time
	shedding sync.Mutex // held by who closes connections
}

// countedFrom is how many bytes a connection must hold to be counted.
const countedFrom = 64 << 10

func (b *budget) init(limit int64) { b.limit, b.begin = limit, time.Now() }

// over reports whether more is held than may be.
func (b *budget) over() bool { return b.used.Load() > b.limit }

// A holding is what one connection holds in one direction. It is guarded by
// outbox.mu.
type holding struct {
	bytes int64         // counted in budget.used
	since time.Duration // of budget.begin: when it last came forward, or began
}

// set notes what is held now, and whether the connection came forward since the
// last time: something was sent, or a request received.
func (h *holding) set(b *budget, bytes int, cameForward bool) {
	n := int64(bytes)
	if n <= countedFrom {
		n = 0
	}
	if n == 0 && h.bytes == 0 {
		return
	}
	if h.bytes == 0 || cameForward {
		h.since = time.Since(b.begin)
	}
	b.used.Add(n - h.bytes)
	h.bytes = n
}

// A stuck connection is one that could be closed to get memory back.
type stuck struct {
	conn  *conn
	since time.Duration
}

// shed closes the connections that have been stuck for longest, if connections
// hold more than their budget, until an eighth of it is free.
func (s *Server) shed() {
	if !s.held.over() || !s.held.shedding.TryLock() {
		return
	}
	closed := s.shedStuck()
	s.held.shedding.Unlock()
	for _, c := range closed {
		s.warnOfLimit("MaxBufferedBytes", c)
	}
}

// shedStuck is shed with shedding held, and returns the connections that it has
// closed.
func (s *Server) shedStuck() (closed []*conn) {
	all := s.stuck()
	slices.SortFunc(all, func(a, b stuck) int { return cmp.Compare(a.since, b.since) })
	for _, v := range all {
		if s.held.used.Load() <= s.held.limit-s.held.limit/8 {
			break
		}
		if v.conn.out.kill() { // it may be there twice, for what it reads and what it sends
			closed = append(closed, v.conn)
		}
	}
	return closed
}

// stuck returns the connections that are counted.
func (s *Server) stuck() []stuck {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []stuck
	for c := range s.conns {
		c.out.mu.Lock()
		for _, h := range []holding{c.out.unread, c.out.unfinished} {
			if h.bytes > 0 {
				all = append(all, stuck{c, h.since})
			}
		}
		c.out.mu.Unlock()
	}
	return all
}
