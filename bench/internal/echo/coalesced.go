// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package echo

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/rollcall-rpc/rollcall/internal/load"
)

// coalesced is the least that calls on a shared connection can cost in plain
// Go: frames that wait are written at once, replies are handed over by slot, and
// nothing is allocated or looked up.
func coalesced() System {
	return System{
		Name:    "r2y",
		Measure: "baseline, raw Go on TCP: a writer that yields once and then writes all that waits, a reader that hands replies over by slot, a server that answers inline",
		Serve:   serveRaw, Dial: dialCoalesced,
	}
}

type coalescedConn struct {
	conn  net.Conn
	wake  chan struct{} // capacity 1: the queue is not empty
	slots atomic.Pointer[[]*slot]
	dead  chan struct{} // closed when the reader has ended; the callers look at their slots
	wg    sync.WaitGroup

	mu     sync.Mutex // guards what follows; and slots, for those who replace them
	queue  []byte
	closed bool // the slots' channels are
}

// A slot is where the reader puts the replies for one caller. The caller's id
// on the wire is the slot's index.
type slot struct {
	reply []byte
	size  int
	done  chan struct{} // capacity 1; closed when the connection is dead
}

func dialCoalesced(ctx context.Context, addr string) (Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	c := &coalescedConn{conn: conn, wake: make(chan struct{}, 1), dead: make(chan struct{})}
	c.slots.Store(new([]*slot))
	c.wg.Go(c.write)
	c.wg.Go(c.read)
	return c, nil
}

func (c *coalescedConn) write() {
	var spare []byte
	for {
		select {
		case <-c.wake:
		case <-c.dead:
			return
		}
		runtime.Gosched() // the others append meanwhile
		c.mu.Lock()
		out := c.queue
		c.queue = spare[:0]
		c.mu.Unlock()
		if _, err := c.conn.Write(out); err != nil {
			return // the reader will see it
		}
		spare = out
	}
}

func (c *coalescedConn) read() {
	defer c.die()
	r := bufio.NewReaderSize(c.conn, rawBuffer)
	for {
		size, id, err := readRawHeader(r)
		slots := *c.slots.Load()
		if err != nil || id >= uint64(len(slots)) || size > len(slots[id].reply) {
			return
		}
		s := slots[id]
		s.size = size
		if _, err := io.ReadFull(r, s.reply[:size]); err != nil {
			return
		}
		s.done <- struct{}{}
	}
}

func (c *coalescedConn) die() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for _, s := range *c.slots.Load() {
		close(s.done)
	}
	close(c.dead)
}

var errDead = errors.New("the connection is dead")

func (c *coalescedConn) Caller(sizeBytes int) load.Echo {
	s := &slot{reply: make([]byte, sizeBytes), done: make(chan struct{}, 1)}
	c.mu.Lock()
	old := *c.slots.Load()
	id := uint64(len(old))
	slots := append(slices.Clip(old), s)
	c.slots.Store(&slots)
	if c.closed {
		close(s.done)
	}
	c.mu.Unlock()
	return func(payload []byte) ([]byte, error) {
		c.mu.Lock()
		first := len(c.queue) == 0
		c.queue = appendRaw(c.queue, id, payload)
		c.mu.Unlock()
		if first {
			select {
			case c.wake <- struct{}{}:
			default: // the writer is dead
			}
		}
		if _, ok := <-s.done; !ok {
			return nil, errDead
		}
		return s.reply[:s.size], nil
	}
}

func (c *coalescedConn) Close() error {
	err := c.conn.Close()
	c.wg.Wait()
	return err
}
