// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/rollcall-rpc/rollcall/frame"
)

// LookEvery is how often the owner of a [ServerConn] calls Look.
const LookEvery = 5 * time.Second

// What a connection may do for so many looks without progress.
const (
	partLooks  = 3 // a request may wait for its next piece
	StallLooks = 3 // bytes may wait that the client does not read; fewer where it is to end
)

// ErrStalled is that the client has not read for too long what waits for it.
var ErrStalled = errors.New("transport: the client does not read its replies")

// Unfinished is what the connections of a server hold of requests whose last piece
// has not come: bytes that strangers make it keep. They share one.
type Unfinished struct {
	most int64
	held atomic.Int64
}

// NewUnfinished returns one that allows so many bytes, of memory, not of messages.
func NewUnfinished(most int64) *Unfinished { return &Unfinished{most: most} }

// take adds n bytes, unless they are too many.
func (u *Unfinished) take(n int64) bool {
	if u == nil || u.held.Add(n) <= u.most {
		return true
	}
	u.held.Add(-n)
	return false
}

func (u *Unfinished) give(n int64) {
	if u != nil {
		u.held.Add(-n)
	}
}

// hold counts the memory of an unfinished request; a refusal where it is too much.
// out.mu is held.
func (s *ServerConn) hold(r *request) *RemoteError {
	more := int64(cap(r.buf)) - r.held
	if !s.opts.Unfinished.take(more) {
		if s.opts.OnUnfinished != nil {
			s.opts.OnUnfinished()
		}
		return notExecuted(frame.CodeUnavailable, ReasonBusy,
			fmt.Sprintf("the server holds %d bytes of unfinished requests, as many as it may", s.opts.Unfinished.most))
	}
	r.held += more
	s.parts += more
	r.stuck = 0
	return nil
}

// letGo counts an unfinished request out: it is complete, or dropped. out.mu is held.
func (s *ServerConn) letGo(r *request) {
	s.opts.Unfinished.give(r.held)
	s.parts -= r.held
	r.held = 0
}

// letAllGo is letGo for all requests of a connection that has ended.
func (s *ServerConn) letAllGo() {
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	s.opts.Unfinished.give(s.parts)
	s.parts = 0
}

// A Condition is what a look at a connection shows.
type Condition struct {
	Stalled    int   // looks during which the client has read nothing of what waits for it
	Unfinished int64 // bytes of requests whose last piece has not come
	Age        int   // looks since the oldest of these began
}

// Look looks how the connection fares. It refuses requests whose next piece has not
// come for partLooks.
func (s *ServerConn) Look() (c Condition) {
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	if taken := s.out.taken.Load(); s.out.flushing && taken == s.lookedAt {
		s.stalled++
	} else {
		s.lookedAt, s.stalled = taken, 0
	}
	if s.lastSeen == s.lookedID {
		s.recent = recent{} // it rests: what it remembers is of no use
	}
	s.lookedID = s.lastSeen
	c.Stalled, c.Unfinished = s.stalled, s.parts
	s.lookAtParked()
	if s.parts == 0 {
		return c
	}
	var late []*request
	s.requests.each(func(r *request) {
		if !r.partial {
			return
		}
		r.age++
		r.stuck++
		c.Age = max(c.Age, r.age)
		if r.stuck > partLooks && !s.closing && s.out.alive() && !s.out.full() {
			late = append(late, r)
		}
	})
	for _, r := range late {
		s.requests.remove(r)
		s.letGo(r)
		s.appendError(r.StreamID, notExecuted(frame.CodeDeadlineExceeded, ReasonDeadline,
			fmt.Sprintf("the next piece of the request did not come for %v", partLooks*LookEvery)))
		r.free()
	}
	if len(late) == 0 {
		return c
	}
	if flush, _ := s.out.begin(false); flush {
		s.out.mu.Unlock()
		s.out.flush(false, false)
		s.out.mu.Lock()
	}
	return c
}

// Held is what the last look has shown of unfinished requests, with what is held now.
func (s *ServerConn) Held() (c Condition) {
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	if c.Unfinished = s.parts; s.parts > 0 {
		s.requests.each(func(r *request) {
			if r.partial {
				c.Age = max(c.Age, r.age)
			}
		})
	}
	return c
}

// Abort ends the connection at once, with a cause.
func (s *ServerConn) Abort(cause error) { s.die(cause) }
