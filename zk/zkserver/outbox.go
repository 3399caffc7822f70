// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"net"
	"sync"
	"syscall"
)

const (
	// softOut is how many bytes may wait to be sent before the connection's
	// requests are left unread.
	softOut = 256 << 10
	// offerOut is how many bytes the owner writes at most for a connection; what is
	// more is left to the connection's writer.
	offerOut = 16 << 10
	// keepOut is the greatest buffer that is kept for reuse.
	keepOut = 256 << 10
)

// An outbox is the one queue of everything that is sent on a connection. Replies
// and notifications are encoded straight into it, in the order in which the
// client shall see them.
type outbox struct {
	nc     net.Conn
	wake   chan struct{} // tells the writer that there is something to write
	budget *budget
	max    int // bytes that may wait before one more message closes the connection

	raw syscall.RawConn // of nc; nil: it has none
	now func(fd uintptr) bool
	// Of whoever is writing by raw.
	offered []byte
	taken   int // of the bytes offered

	mu      sync.Mutex // guards what follows
	changed sync.Cond  // something below has become less, or dead
	buf     []byte     // waits to be sent
	spare   []byte
	writing bool          // somebody is writing; he takes what is added meanwhile
	dead    bool          // nothing is sent any more
	overrun bool          // it died of too much that waited
	ended   chan struct{} // closed with dead; nil: nobody wants to know
	pending int           // requests with the owner, whose replies are still to come

	sending    int     // bytes that are being written
	unread     holding // what waits and what is being written
	unfinished holding // the buffer of requests that did not arrive in full
}

func (o *outbox) init(nc net.Conn, maxBytes int, b *budget) {
	o.nc, o.max, o.budget = nc, maxBytes, b
	if sc, ok := nc.(syscall.Conn); ok {
		o.raw, _ = sc.SyscallConn()
	}
	o.now = func(fd uintptr) bool {
		o.taken = writeNow(fd, o.offered)
		return true
	}
	o.wake = make(chan struct{}, 1)
	o.changed.L = &o.mu
}

// open makes ready for appending one message to buf: it returns false if the
// connection is dead, or has just died of too much that waits. Called with mu
// held.
func (o *outbox) open() bool {
	if !o.dead && len(o.buf) > countedFrom {
		o.count(false)
		if len(o.buf) > o.max {
			o.overrun = true
			o.die()
		}
	}
	return !o.dead
}

// count notes in the budget what is unread. Called with mu held.
func (o *outbox) count(cameForward bool) {
	if o.dead {
		o.unread.set(o.budget, 0, false)
		o.unfinished.set(o.budget, 0, false)
		return
	}
	o.unread.set(o.budget, len(o.buf)+o.sending, cameForward)
}

// receiving notes in the budget how large the buffer of requests is.
func (o *outbox) receiving(bytes int, cameForward bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.dead {
		o.unfinished.set(o.budget, bytes, cameForward)
	}
}

// hasOverrun reports whether too much waited.
func (o *outbox) hasOverrun() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.overrun
}

// die gives up what waits and closes the connection, and reports whether it was
// alive. Called with mu held.
func (o *outbox) die() bool {
	if o.dead {
		return false
	}
	o.giveUp()
	o.nc.Close()
	return true
}

// giveUp sends nothing any more. Called with mu held.
func (o *outbox) giveUp() {
	o.dead = true
	o.buf = nil
	o.count(false)
	if o.ended != nil {
		close(o.ended)
	}
	o.changed.Broadcast()
	o.kickLocked()
}

// awaitable returns a channel that is closed when the outbox is dead.
func (o *outbox) awaitable() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended == nil {
		o.ended = make(chan struct{})
		if o.dead {
			close(o.ended)
		}
	}
	return o.ended
}

// kill is die without mu.
func (o *outbox) kill() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.die()
}

// mute gives up what waits and what is still to come, and leaves the connection
// open to be closed by its reader.
func (o *outbox) mute() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.dead {
		o.giveUp()
	}
}

// flush writes what waits, unless somebody is writing already. It blocks while
// the client does not read.
func (o *outbox) flush() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.writing {
		return
	}
	o.writing = true
	for len(o.buf) > 0 && !o.dead {
		// Two buffers take turns: one is written without mu, the other filled.
		out := o.buf
		o.buf, o.spare, o.sending = o.spare[:0], nil, len(out)
		if len(out) > countedFrom {
			o.count(false)
		}
		o.mu.Unlock()
		_, err := o.nc.Write(out)
		o.mu.Lock()
		o.sending = 0
		o.count(true) // something went out
		if err != nil {
			o.die()
		}
		if cap(out) <= keepOut {
			o.spare = out[:0]
		}
		o.changed.Broadcast()
	}
	o.writing = false
	o.changed.Broadcast()
}

// offer writes what waits, as far as that goes without waiting, and leaves the
// rest to the writer. The owner tells thousands this way without waking anybody.
func (o *outbox) offer() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.buf) == 0 || o.writing {
		return
	}
	// More than a little is left to the writer: copying it into the socket would
	// keep everybody else waiting.
	if o.raw != nil && len(o.buf) <= offerOut {
		o.writeSome()
	}
	if len(o.buf) > 0 {
		o.kickLocked()
	}
}

// writeSome writes what the connection takes at once. Called with mu held, which
// it gives up meanwhile.
func (o *outbox) writeSome() {
	out := o.buf
	o.buf, o.spare, o.sending = o.spare[:0], nil, len(out)
	o.writing = true
	o.mu.Unlock()
	o.offered, o.taken = out, 0
	o.raw.Write(o.now) //nolint:errcheck // the writer will meet the same error
	n := o.taken
	o.offered = nil
	o.mu.Lock()
	o.writing, o.sending = false, 0
	switch {
	case o.dead:
	case n == len(out):
		o.spare = out[:0]
	default:
		// What was appended meanwhile comes behind what is left.
		o.buf = append(out[n:], o.buf...)
	}
	o.count(n > 0)
	o.changed.Broadcast()
}

func (o *outbox) kickLocked() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// write flushes whenever it is woken, until the outbox is dead.
func (o *outbox) write() {
	for range o.wake {
		o.flush()
		o.mu.Lock()
		dead := o.dead
		o.mu.Unlock()
		if dead {
			return
		}
	}
}

// await waits until cond holds or the connection is dead; cond is called with mu
// held and becomes true through pending, buf or writing.
func (o *outbox) await(cond func() bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for !cond() && !o.dead {
		o.changed.Wait()
	}
}

// awaitRoom waits until the client has taken most of what waits.
func (o *outbox) awaitRoom() {
	o.flush()
	o.await(func() bool { return len(o.buf) <= softOut })
}

// awaitSent waits until nothing waits to be sent.
func (o *outbox) awaitSent() {
	o.flush()
	o.await(func() bool { return len(o.buf) == 0 && !o.writing })
}

// awaitIdle waits until the owner has answered everything, even if nobody will
// see the answers.
func (o *outbox) awaitIdle() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.pending > 0 {
		o.changed.Wait()
	}
}

// add notes n requests that go to the owner.
func (o *outbox) add(n int) {
	o.mu.Lock()
	o.pending += n
	o.mu.Unlock()
}

// answered notes that the owner is done with a request. Called with mu held.
func (o *outbox) answered() {
	o.pending--
	// The two values that somebody waits for, see awaitIdle and requests.
	if o.pending == 0 || o.pending == maxPending-1 {
		o.changed.Broadcast()
	}
}
