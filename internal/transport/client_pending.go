// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package transport

import "sync"

// A call is one that waits for its answer. Whoever takes it out of the pending
// table owns it, fills it and signals done.
type call struct {
	id       uint64
	start    uint64        // the outbox's position of its first byte
	end      uint64        // and of the end of its last piece there
	complete bool          // its last piece is in the outbox
	buffer   []byte        // room for the reply's body, which only the taker writes to
	done     chan struct{} // capacity 1
	reply    Reply
	err      error
}

// A callPool reuses calls with their channels. Each connection has its own: a
// channel made in a testing/synctest bubble must not be used outside.
type callPool struct{ pool sync.Pool }

// get returns a call that nobody else knows.
func (p *callPool) get() *call {
	if cl, ok := p.pool.Get().(*call); ok {
		return cl
	}
	return &call{done: make(chan struct{}, 1)}
}

// put gives cl back. Its done is empty and no table holds it.
func (p *callPool) put(cl *call) {
	*cl = call{done: cl.done}
	p.pool.Put(cl)
}

func (cl *call) finish(reply Reply, err error) {
	cl.reply, cl.err = reply, err
	cl.done <- struct{}{}
}

// minSlots is the first size of a pending table.
const minSlots = 16

// pending holds the calls in flight: the one with id n in slot n modulo the
// table's size. Ids are chosen so that the slot is free.
type pending struct {
	slots []*call // a power of two, at least twice the number of calls
	count int
	last  uint64 // the last id given out
}

// peek returns the id that the next add will give out at the earliest.
func (p *pending) peek() uint64 { return p.last + 1 }

// add enters cl and sets its id, which is greater than all before.
func (p *pending) add(cl *call) {
	if 2*(p.count+1) > len(p.slots) {
		p.grow()
	}
	mask := uint64(len(p.slots) - 1) //nolint:gosec // a length, not negative
	for p.last++; p.slots[p.last&mask] != nil; {
		p.last++
	}
	cl.id = p.last
	p.slots[p.last&mask] = cl
	p.count++
}

// get returns the call with the id, or nil.
func (p *pending) get(id uint64) *call {
	if len(p.slots) == 0 {
		return nil
	}
	if cl := p.slots[id&uint64(len(p.slots)-1)]; cl != nil && cl.id == id { //nolint:gosec // a length, not negative
		return cl
	}
	return nil
}

// take removes the call with the id and returns it, or nil.
func (p *pending) take(id uint64) *call {
	cl := p.get(id)
	if cl != nil {
		p.slots[id&uint64(len(p.slots)-1)] = nil //nolint:gosec // a length, not negative
		p.count--
	}
	return cl
}

// takeAbove removes and returns all calls with greater ids.
func (p *pending) takeAbove(id uint64) []*call {
	var taken []*call
	for i, cl := range p.slots {
		if cl != nil && cl.id > id {
			taken = append(taken, cl)
			p.slots[i] = nil
			p.count--
		}
	}
	return taken
}

// grow doubles the table: ids that differ modulo the old size differ modulo the
// new one as well.
func (p *pending) grow() {
	old := p.slots
	p.slots = make([]*call, max(2*len(old), minSlots))
	for _, cl := range old {
		if cl != nil {
			p.slots[cl.id&uint64(len(p.slots)-1)] = cl //nolint:gosec // a length, not negative
		}
	}
}
