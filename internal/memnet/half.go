// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package memnet

import (
	"io"
	"os"
	"sync"
	"time"
)

// A half is one direction of a connection.
type half struct {
	capacity int

	mu       sync.Mutex // guards what follows; cond uses it
	cond     *sync.Cond // something below changed
	buf      []byte     // written and not yet read
	chunks   []chunk    // when the pieces of buf arrive, oldest first
	delay    time.Duration
	blocked  bool
	budget   int  // bytes until the cut; negative: no cut
	cutDead  bool // the connection was cut
	finished bool // the writer closed: io.EOF after buf
	unread   bool // the reader closed: writes fail

	readDeadline, writeDeadline deadline
}

type chunk struct {
	size int
	at   time.Time // zero: at once
}

type deadline struct {
	at    time.Time
	timer *time.Timer
}

func (d *deadline) passed() bool { return !d.at.IsZero() && !time.Now().Before(d.at) }

func newHalf(capacity int) *half {
	h := &half{capacity: capacity, budget: -1}
	h.cond = sync.NewCond(&h.mu)
	return h
}

func (h *half) read(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		switch n := min(h.arrived(), len(b)); {
		case h.unread:
			return 0, io.ErrClosedPipe
		case h.readDeadline.passed():
			return 0, os.ErrDeadlineExceeded
		case n > 0:
			h.consume(b[:n])
			return n, nil
		case h.cutDead:
			return 0, ErrCut
		case h.finished && len(h.buf) == 0 && !h.blocked:
			return 0, io.EOF
		case len(b) == 0:
			return 0, nil
		}
		h.cond.Wait()
	}
}

// arrived returns how many bytes can be read now.
func (h *half) arrived() int {
	if h.blocked {
		return 0
	}
	n := 0
	for _, c := range h.chunks {
		if !c.at.IsZero() && time.Now().Before(c.at) {
			break
		}
		n += c.size
	}
	return n
}

func (h *half) consume(b []byte) {
	copy(b, h.buf)
	h.buf = append(h.buf[:0], h.buf[len(b):]...)
	for n := len(b); n > 0; {
		part := min(n, h.chunks[0].size)
		h.chunks[0].size -= part
		n -= part
		if h.chunks[0].size == 0 {
			h.chunks = h.chunks[1:]
		}
	}
	h.cond.Broadcast()
}

// write reports in cutNow that the budget ended with this call.
func (h *half) write(b []byte) (n int, err error, cutNow bool) { //nolint:revive // the error belongs to the count
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		switch {
		case h.finished:
			return n, io.ErrClosedPipe, false
		case h.cutDead:
			return n, ErrCut, false
		case h.unread:
			return n, ErrCut, false
		case h.writeDeadline.passed():
			return n, os.ErrDeadlineExceeded, false
		case len(b) == 0:
			return n, nil, false
		case h.budget == 0:
			h.die(false)
			return n, ErrCut, true
		}
		part := min(len(b), h.capacity-len(h.buf))
		if h.budget > 0 {
			part = min(part, h.budget)
			h.budget -= part
		}
		if part > 0 {
			h.accept(b[:part])
			b = b[part:]
			n += part
			continue
		}
		h.cond.Wait()
	}
}

func (h *half) accept(b []byte) {
	c := chunk{size: len(b)}
	if h.delay > 0 {
		c.at = time.Now().Add(h.delay)
		time.AfterFunc(h.delay, h.wake)
	}
	h.buf = append(h.buf, b...)
	h.chunks = append(h.chunks, c)
	h.cond.Broadcast()
}

// die cuts this direction; bytes that had not arrived are lost, or all.
func (h *half) die(all bool) {
	h.cutDead = true
	keep := h.arrived()
	if all {
		keep = 0
	}
	h.buf = h.buf[:keep]
	h.chunks = nil
	if keep > 0 {
		h.chunks = []chunk{{size: keep}}
	}
	h.blocked = false
	h.cond.Broadcast()
}

func (h *half) cut(all bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.die(all)
}

func (h *half) closeWrite() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.finished = true
	h.cond.Broadcast()
}

func (h *half) closeRead() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.unread = true
	h.cond.Broadcast()
}

func (h *half) setBlocked(v bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.blocked = v
	h.cond.Broadcast()
}

func (h *half) setDelay(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.delay = d
}

func (h *half) setBudget(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.budget = n
	h.cond.Broadcast()
}

func (h *half) setDeadline(d *deadline, t time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	d.at = t
	if wait := time.Until(t); !t.IsZero() && wait > 0 {
		d.timer = time.AfterFunc(wait, h.wake)
	}
	h.cond.Broadcast()
}

func (h *half) wake() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cond.Broadcast()
}
