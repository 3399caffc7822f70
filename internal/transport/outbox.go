// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"context"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-rpc/rollcall/frame"
)

const (
	// minOutBuffer is the size of the first buffer of a flush.
	minOutBuffer = 4 << 10
	// maxFlushRounds is how often an impatient flusher writes for the others
	// before it hands the duty to a goroutine: it has a call of its own.
	maxFlushRounds = 8
	// maxWrite is how much a patient flusher gives to the connection at a time, so
	// that its progress is seen: as much as a kernel sends in one segment.
	maxWrite = 64 << 10
	// overtakeAfter is how many may append behind a flusher that yields before one of
	// them takes its duty; so does who finds a quarter of the limit waiting.
	overtakeAfter = 200
)

// An outbox is what waits to be written on a connection. It has no goroutine of
// its own: who appends and finds nobody flushing must flush (see begin).
//
// Every appended byte has a position, counted from the connection's start. sent
// tells which of them may have reached the peer.
type outbox struct {
	conn  net.Conn
	raw   *rawWriter     // writes without blocking; nil if conn cannot
	limit int            // bytes of buf beyond which appenders wait
	wg    sync.WaitGroup // background flushers; its owner waits
	broke func(error)    // called once, without mu, when a write fails
	idle  func()         // called with mu when all is written; may be nil
	empty func()         // called with mu when a full buf has been taken, or is dropped; may be nil
	lag   *lag           // is told how long a processor is waited for; may be nil

	crowded atomic.Bool   // buf is full; written under mu
	taken   atomic.Uint64 // position of the end of what the connection has taken

	mu       sync.Mutex    // guards what follows and the tables of the owner
	buf      []byte        // waits; a pooled buffer or nil
	queued   uint64        // position of the end of buf
	sent     uint64        // bytes from here on were never given to the socket
	hint     int           // the size of recent writes: as much may come again
	flushing bool          // somebody writes, and will write what is appended
	yielding bool          // who does lets others append first
	passed   int           // how many have since
	failed   bool          // a write has failed: buf no longer begins at sent, and err follows
	err      error         // the connection is dead
	room     chan struct{} // closed when there is room; nil: nobody waits
	stopped  chan struct{} // closed when nobody flushes any more; nil: nobody waits
}

func (o *outbox) init(conn net.Conn, limit int, broke func(error), idle func()) {
	o.conn, o.raw, o.limit, o.broke, o.idle = conn, newRawWriter(conn), limit, broke, idle
}

// reserve makes room for n bytes behind buf. mu is held, also for what follows.
func (o *outbox) reserve(n int) []byte {
	if o.buf == nil {
		o.buf = getBuffer(max(n, min(o.hint, o.limit), minOutBuffer))[:0]
	} else {
		o.buf = growBuffer(o.buf, n)
	}
	return o.buf
}

// commit takes b, which is what reserve returned with a frame appended.
func (o *outbox) commit(b []byte) {
	o.queued += uint64(len(b) - len(o.buf)) //nolint:gosec // b is longer
	o.buf = b
	if o.full() {
		o.crowded.Store(true)
	}
}

// appendFrame appends a frame whose payload is small and known.
func (o *outbox) appendFrame(t frame.Type, stream uint64, payload []byte) {
	b := o.reserve(frame.HeaderBytes + len(payload))
	b = frame.AppendHeader(b, frame.Header{Length: uint32(len(payload)), Type: t, StreamID: stream}) //nolint:gosec // small
	o.commit(append(b, payload...))
}

// appendData appends one piece of a message. out.mu is held.
func appendData(o *outbox, id uint64, piece []byte, more bool) {
	var flags frame.Flags
	if more {
		flags = frame.FlagMore
	}
	b := o.reserve(frame.HeaderBytes + len(piece))
	b = frame.AppendHeader(b, frame.Header{Length: uint32(len(piece)), Type: frame.TypeData, Flags: flags, StreamID: id}) //nolint:gosec // at most MaxFrame
	o.commit(append(b, piece...))
}

// alive reports that what is appended may yet be written.
func (o *outbox) alive() bool { return o.err == nil && !o.failed }

// full reports that appenders should wait.
func (o *outbox) full() bool { return len(o.buf) >= o.limit }

// waitRoom waits until buf has room, ctx ends or the connection dies. mu is
// held, given up meanwhile, and held again.
func (o *outbox) waitRoom(ctx context.Context) error {
	for o.err == nil && o.full() {
		if flush, _ := o.begin(false); flush { // what fills the buffer was appended without a flush
			o.mu.Unlock()
			o.flush(false, false)
			o.mu.Lock()
			continue
		}
		if o.room == nil {
			o.room = make(chan struct{})
		}
		room := o.room
		o.mu.Unlock()
		var ended bool
		select {
		case <-room:
		case <-ctx.Done():
			ended = true
		}
		o.mu.Lock()
		if ended {
			return contextError(ctx)
		}
	}
	return o.err
}

// waitRoomUntil is waitRoom that does not wait beyond a deadline; zero: there is none.
func (o *outbox) waitRoomUntil(ctx context.Context, deadline time.Time) error {
	if o.err != nil || !o.full() || deadline.IsZero() {
		return o.waitRoom(ctx)
	}
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	return o.waitRoom(ctx)
}

func (o *outbox) wakeWaiters() {
	if o.crowded.Load() {
		o.crowded.Store(false)
		if o.empty != nil {
			o.empty()
		}
	}
	if o.room != nil {
		close(o.room)
		o.room = nil
	}
}

// begin reports whether the caller must call flush once it has released mu, and with
// which yield: it need not let the neighbours append first where that was done.
//
// Who yields waits for a processor like everybody, which takes long where many do. The
// duty is not bound to it: one of those who append meanwhile, after enough have, takes
// it, and the first finds it gone.
func (o *outbox) begin(yield bool) (flush, yields bool) {
	switch {
	case !o.alive() || len(o.buf) == 0:
		return false, false
	case !o.flushing:
		o.flushing, o.yielding, o.passed = true, yield, 0
		return true, yield
	case !o.yielding:
		return false, false
	}
	o.passed++
	if o.passed < overtakeAfter && len(o.buf) < o.limit/4 {
		return false, false
	}
	o.yielding = false
	return true, false
}

// flush writes until nothing is left. A patient flusher may be held up by the
// peer for as long as it takes. An impatient one hands over to a goroutine
// before that happens. yield lets the neighbours append first.
func (o *outbox) flush(yield, patient bool) {
	if !patient && o.raw == nil { // a wrapped connection may block in any write
		o.handOver(nil, yield)
		return
	}
	if yield {
		o.yield()
	}
	for rounds := 1; ; rounds++ {
		buf := o.take(yield && rounds == 1) // all that was appended during the last write: one write for many
		if buf == nil {
			return
		}
		var n int
		var err error
		if o.raw != nil {
			n, err = o.try(buf)
		}
		if err == nil && n < len(buf) {
			if !patient {
				// The socket is full. What it has not taken goes along: another flusher
				// must not write before it.
				o.handOver(buf[n:], false)
				return
			}
			var m int
			m, err = o.write(buf[n:])
			n += m
		}
		if !o.wrote(buf, n, err) {
			return
		}
		// Others append as fast as we write: the caller would serve them for ever.
		if !patient && rounds == maxFlushRounds {
			o.mu.Lock()
			o.yielding, o.passed = true, 0
			o.mu.Unlock()
			o.handOver(nil, true)
			return
		}
	}
}

// yield lets others run.
func (o *outbox) yield() {
	if o.lag == nil {
		runtime.Gosched()
		return
	}
	begun := time.Since(epoch)
	runtime.Gosched()
	o.lag.observe(begun)
}

// write writes all of buf, for as long as it takes.
func (o *outbox) write(buf []byte) (n int, err error) {
	for n < len(buf) && err == nil {
		var m int
		m, err = o.conn.Write(buf[n:min(n+maxWrite, len(buf))])
		n += m
		o.taken.Add(uint64(m)) //nolint:gosec // not negative
	}
	return n, err
}

// try writes what the socket takes at once.
func (o *outbox) try(buf []byte) (n int, err error) {
	n, err = o.raw.try(buf)
	o.taken.Add(uint64(n)) //nolint:gosec // not negative
	return n, err
}

// drain flushes, or waits until whoever flushes has finished. The caller has
// set a write deadline, which ends the wait.
func (o *outbox) drain() {
	o.mu.Lock()
	flush, _ := o.begin(false)
	o.mu.Unlock()
	if flush {
		o.flush(false, true)
	}
	o.waitStopped()
}

// waitStopped waits until nobody flushes.
func (o *outbox) waitStopped() {
	o.mu.Lock()
	for o.flushing {
		if o.stopped == nil {
			o.stopped = make(chan struct{})
		}
		stopped := o.stopped
		o.mu.Unlock()
		<-stopped
		o.mu.Lock()
	}
	o.mu.Unlock()
}

// stop ends the flusher's duty. mu is held.
func (o *outbox) stop() {
	o.flushing, o.yielding = false, false
	if o.stopped != nil {
		close(o.stopped)
		o.stopped = nil
	}
}

// handOver lets a goroutine write rest and whatever comes then.
func (o *outbox) handOver(rest []byte, yield bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if yield && !o.yielding {
		return // another has the duty
	}
	if o.err != nil { // also keeps wg from growing while its owner waits
		// As a failed write: bytes that were never given to the socket are not sent,
		// and whose call they are may hear that it was not executed.
		o.sent -= uint64(len(rest))
		o.failed = o.failed || len(rest) > 0
		o.stop()
		return
	}
	o.wg.Go(func() {
		if rest != nil {
			n, err := o.write(rest)
			if !o.wrote(rest, n, err) {
				return
			}
		}
		o.flush(yield, true)
	})
}

// take returns what is to be written, or nil and ends the flusher's duty, which one that
// has yielded may not have any more.
func (o *outbox) take(yielded bool) []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	if yielded && !o.yielding {
		return nil
	}
	o.yielding = false
	if o.err != nil || len(o.buf) == 0 {
		o.stop()
		if o.idle != nil {
			o.idle()
		}
		return nil
	}
	buf := o.buf
	o.buf, o.hint = nil, max(len(buf), o.hint-o.hint/8)
	o.sent = o.queued
	o.wakeWaiters()
	return buf
}

// wrote books a write of n bytes of buf. It returns false if it failed: then
// the flusher's duty has ended. buf is given back.
func (o *outbox) wrote(buf []byte, n int, err error) bool {
	if err == nil {
		putBuffer(buf)
		return true
	}
	o.mu.Lock()
	o.stop()
	// Only the flusher moves sent, so it still is the end of buf.
	o.sent -= uint64(len(buf) - n) //nolint:gosec // n is at most len(buf)
	o.failed = true
	o.mu.Unlock()
	o.broke(err)
	return false
}

// kill marks the outbox dead. mu is held.
func (o *outbox) kill(err error) {
	o.err = err
	o.wakeWaiters()
}
