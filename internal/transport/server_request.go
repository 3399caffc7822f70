// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/rollcall-rpc/rollcall/frame"
)

// A request is one in the server's hands, from its first piece to its reply.
type request struct {
	ServerRequest
	task task
	conn *ServerConn
	ctx  *CallContext
	buf  []byte // pooled: the method's name and the body

	next     *request // in its bucket of the table
	nameLen  int
	partial  bool // pieces are to come; so is what follows, guarded by the outbox's mu
	held     int64
	age      int  // looks since it began
	stuck    int  // and since its last piece
	canceled bool // the client wants no answer; guarded by the outbox's mu
}

var requests = sync.Pool{New: func() any { return &request{} }}

func newRequest(s *ServerConn) *request {
	r := requests.Get().(*request) //nolint:forcetypeassert // the pool holds nothing else
	if r.task.run == nil {
		r.task.run = r.serve // the one allocation of a closure
	}
	r.conn = s
	return r
}

// free gives r and its buffer back. No table holds it.
func (r *request) free() {
	if r.buf != nil {
		putBuffer(r.buf)
	}
	*r = request{task: task{run: r.task.run}}
	requests.Put(r)
}

// fill copies out of the reader's buffer.
func (r *request) fill(q *frame.Request, id uint64, more bool) {
	size := len(q.Method) + len(q.Body)
	if more {
		size *= 2
	}
	r.buf = append(append(getBuffer(size)[:0], q.Method...), q.Body...)
	r.nameLen, r.partial = len(q.Method), more
	r.StreamID, r.Codec, r.Metadata = id, q.Codec, q.Metadata
	if q.Remaining > 0 {
		r.Deadline, r.Budget = time.Now().Add(q.Remaining), q.Remaining
	}
}

// seal cuts the buffer once it is complete.
func (r *request) seal(parent context.Context) {
	r.partial = false
	r.Method = r.buf[:r.nameLen:r.nameLen]
	r.Body = r.buf[r.nameLen:len(r.buf):len(r.buf)]
	if newCall := r.conn.opts.NewCall; newCall != nil {
		r.ctx, r.Owner = newCall()
	} else {
		r.ctx = new(CallContext)
	}
	r.ctx.parent, r.ctx.deadline = parent, r.Deadline
}

// serve runs on a worker.
func (r *request) serve() {
	s := r.conn
	switch err := r.ctx.Err(); {
	case err == nil:
	case errors.Is(err, context.DeadlineExceeded):
		refusal := notExecuted(frame.CodeDeadlineExceeded, ReasonDeadline, "the deadline passed before a handler was free")
		s.tellRefused(r.Method, r.Metadata, len(r.Body), refusal)
		s.answer(r, Reply{}, refusal)
		return
	default: // cancelled: nobody waits for an answer
		s.answer(r, Reply{}, notExecuted(frame.CodeCanceled, "", "cancelled before it was handled"))
		return
	}
	if s.out.crowded.Load() && s.park(r) {
		return
	}
	var reply Reply
	err := errGoexit
	defer func() {
		if err == errGoexit { //nolint:errorlint // identity is meant
			s.answer(r, Reply{}, r.panicked(recover()))
		}
	}()
	reply, err = s.opts.Handler(r.ctx, &r.ServerRequest)
	if err == nil {
		s.answer(r, reply, nil)
		return
	}
	reply.Release()
	s.answer(r, Reply{}, remoteError(err))
}

// park puts off a request while the client does not read the replies that there are:
// another one would wait beside them, in memory. False: there is room.
func (s *ServerConn) park(r *request) bool {
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	if !s.out.alive() || !s.out.full() {
		return false
	}
	s.parked = append(s.parked, r)
	return true
}

// unpark goes on with the first n of those that were put off. out.mu is held.
func (s *ServerConn) unpark(n int) {
	n = min(n, len(s.parked))
	if n == 0 {
		return
	}
	var b batch
	for _, r := range s.parked[:n] {
		b.add(&r.task)
	}
	s.parked = slices.Delete(s.parked, 0, n)
	s.workers.submit(&b)
}

// hasRoom is told that the client has read, or that it will not any more. One reply
// may fill the room, so one goes on, and each that is answered takes two along: see
// answer. out.mu is held.
func (s *ServerConn) hasRoom() {
	if s.out.err != nil {
		s.unpark(len(s.parked))
	}
	s.unpark(1)
}

// lookAtParked goes on with all that were put off where there is room, for the one that
// was to take others along may take long; else with those whose context has ended, which
// are not handled. out.mu is held.
func (s *ServerConn) lookAtParked() {
	if !s.out.full() {
		s.unpark(len(s.parked))
		return
	}
	var ended batch
	s.parked = slices.DeleteFunc(s.parked, func(r *request) bool {
		if r.ctx.Err() == nil {
			return false
		}
		ended.add(&r.task)
		return true
	})
	s.workers.submit(&ended)
}

// end gives the ticket back. The outbox's mu is held.
func (r *request) end() {
	if r.Ticket == nil {
		return
	}
	var now time.Time
	late := false
	if r.Budget > 0 {
		now = time.Now()
		left := r.Deadline.Sub(now)
		late = left <= 0 || (r.canceled && left < r.Budget/2)
	}
	r.Ticket.Ended(&r.ServerRequest, now, late)
	if r.Budget > 0 && !late {
		r.conn.recent.add(&r.ServerRequest)
	}
}

// errGoexit stands for a handler that has not returned.
var errGoexit = errors.New("transport: handler did not return")

// panicked reports a handler that panicked or, with a nil value, called
// runtime.Goexit.
func (r *request) panicked(value any) *RemoteError {
	s, stack := r.conn, debug.Stack()
	s.opts.Log.Error("handler panicked", "method", string(r.Method), "panic", fmt.Sprint(value), "stack", string(stack))
	if s.opts.OnPanic != nil {
		s.opts.OnPanic(&r.ServerRequest, value, stack)
	}
	return &RemoteError{
		Code: frame.CodeInternal, Executed: frame.ExecutedYes, Reason: ReasonPanic,
		Message: "the handler panicked",
	}
}

// remoteError turns a handler's error into what the client gets.
func remoteError(err error) *RemoteError {
	if typed, ok := errors.AsType[*RemoteError](err); ok {
		e := *typed
		if e.Executed == 0 {
			e.Executed = frame.ExecutedYes
		}
		return &e
	}
	e := &RemoteError{Code: frame.CodeUnknown, Executed: frame.ExecutedYes, Message: err.Error()}
	switch {
	case errors.Is(err, context.Canceled):
		e.Code = frame.CodeCanceled
	case errors.Is(err, context.DeadlineExceeded):
		e.Code = frame.CodeDeadlineExceeded
	}
	return e
}

// minBuckets is the first size of a requestTable.
const minBuckets = 16

// A requestTable finds requests by id. It is a hash table chained through the
// requests themselves, so that it does not allocate. The ids are the client's
// choice: whoever makes them collide waits for his own chain, which MaxStreams
// bounds.
type requestTable struct {
	buckets []*request // a power of two
	count   int
}

func (t *requestTable) bucket(id uint64) **request {
	return &t.buckets[id&uint64(len(t.buckets)-1)] //nolint:gosec // a length, not negative
}

func (t *requestTable) add(r *request) {
	if t.count >= len(t.buckets) {
		old := t.buckets
		t.buckets = make([]*request, max(2*len(old), minBuckets))
		for _, r := range old {
			for r != nil {
				next := r.next
				b := t.bucket(r.StreamID)
				r.next, *b = *b, r
				r = next
			}
		}
	}
	b := t.bucket(r.StreamID)
	r.next, *b = *b, r
	t.count++
}

func (t *requestTable) get(id uint64) *request {
	if t.count == 0 {
		return nil
	}
	r := *t.bucket(id)
	for r != nil && r.StreamID != id {
		r = r.next
	}
	return r
}

// each calls f for all of them; f must not change the table.
func (t *requestTable) each(f func(*request)) {
	for _, r := range t.buckets {
		for ; r != nil; r = r.next {
			f(r)
		}
	}
}

func (t *requestTable) remove(r *request) {
	for at := t.bucket(r.StreamID); *at != nil; at = &(*at).next {
		if *at == r {
			*at, r.next = r.next, nil
			t.count--
			return
		}
	}
}
