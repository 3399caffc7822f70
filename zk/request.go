// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zk

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/rollcall-rpc/rollcall/zk/jute"
)

// A stage is how far a request has come.
type stage int

const (
	stageQueued    stage = iota // not written
	stageWritten                // handed to a connection, perhaps only in part
	stageFinished               // done is closed
	stageAbandoned              // its caller has left; an answer is discarded
)

// A request is one call on its way.
type request struct {
	op       jute.OpCode
	path     string
	frame    []byte // length, header, body; the xid is put in when it is written
	xid      int32  // 0 until it is written; fixed for what has an xid of its own
	internal bool   // bound to the connection: dies with it, even unwritten
	stage    stage  // guarded by Client.mu
	// answered runs in the reading goroutine with Client.mu held, before any later
	// frame is read and before done is closed. It may be nil.
	answered func(code jute.ErrCode)

	done chan struct{} // closed when body and err are set
	body []byte        // the answer behind its header; owned by the caller
	err  error         // an *Error
}

const xidOffset = 4 // behind the length

func encode(op jute.OpCode, xid int32, body jute.Record, size int) []byte {
	return jute.AppendFrame(make([]byte, 0, size), func(b []byte) []byte {
		h := jute.RequestHeader{Xid: xid, Op: op}
		return body.Append(h.Append(b))
	})
}

// newRequest encodes a request of a caller, or tells why it cannot be sent.
func (c *Client) newRequest(op jute.OpCode, path string, body jute.Record) (*request, error) {
	if err := checkPath(path, false); err != nil {
		return nil, &Error{Op: op.String(), Path: path, Err: err}
	}
	return c.newUnchecked(op, path, body)
}

func (c *Client) newUnchecked(op jute.OpCode, path string, body jute.Record) (*request, error) {
	r := &request{op: op, path: path, done: make(chan struct{})}
	r.frame = encode(op, 0, body, 64+len(path))
	if n := len(r.frame) - 4; n > c.opts.MaxRequestBytes {
		return nil, r.failure(false, fmt.Errorf("%w: %d bytes, Options.MaxRequestBytes is %d", ErrRequestTooLarge, n, c.opts.MaxRequestBytes))
	}
	return r, nil
}

// internalRequest encodes a request that the client makes for itself.
func internalRequest(op jute.OpCode, path string, body jute.Record) *request {
	return &request{
		op: op, path: path, internal: true, done: make(chan struct{}),
		frame: encode(op, 0, body, 64+len(path)),
	}
}

func (r *request) failure(sent bool, err error) error {
	return &Error{Op: r.op.String(), Path: r.path, Sent: sent, Err: err}
}

// finish ends a request that is not finished yet. Client.mu is held.
func (r *request) finish(body []byte, err error) {
	abandoned := r.stage == stageAbandoned
	r.stage = stageFinished
	r.frame = nil
	if !abandoned {
		r.body, r.err = body, err
	}
	close(r.done)
}

// decode reads the answer into resp.
func (r *request) decode(resp jute.Record) error {
	d := jute.NewDecoder(r.body)
	resp.Decode(&d)
	if err := d.Err(); err != nil {
		return r.failure(true, fmt.Errorf("%w: the answer cannot be read: %w", ErrProtocol, err))
	}
	return nil
}

// callPath makes a call on one node.
func (c *Client) callPath(ctx context.Context, op jute.OpCode, path string, req, resp jute.Record) error {
	r, err := c.newRequest(op, path, req)
	if err != nil {
		return err
	}
	if err := c.do(ctx, r); err != nil {
		return err
	}
	return r.decode(resp)
}

// call makes a call whose paths have been checked.
func (c *Client) call(ctx context.Context, op jute.OpCode, path string, req, resp jute.Record) error {
	r, err := c.newUnchecked(op, path, req)
	if err != nil {
		return err
	}
	if err := c.do(ctx, r); err != nil {
		return err
	}
	return r.decode(resp)
}

// do queues a request and waits for its end or that of ctx.
func (c *Client) do(ctx context.Context, r *request) error {
	if err := ctx.Err(); err != nil {
		return r.failure(false, err)
	}
	if err := c.enqueue(r); err != nil {
		return err
	}
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch r.stage {
	case stageQueued:
		c.queue.drop()
	case stageFinished:
		return r.err
	case stageWritten, stageAbandoned:
	}
	sent := r.stage == stageWritten
	r.stage = stageAbandoned
	return r.failure(sent, ctx.Err())
}

func (c *Client) enqueue(r *request) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refusal != nil {
		return r.failure(false, c.refusal)
	}
	if n := c.queue.waiting() + len(c.pending); n >= c.opts.MaxQueued {
		return r.failure(false, fmt.Errorf("%w: %d, Options.MaxQueued is %d", ErrQueueFull, n, c.opts.MaxQueued))
	}
	c.push(r)
	return nil
}

// push queues requests whatever the limits and tells the writer. c.mu is held.
func (c *Client) push(rs ...*request) {
	if len(rs) == 0 {
		return
	}
	c.queue.list = append(c.queue.list, rs...)
	select {
	case c.wake <- struct{}{}:
	default: // it has been told already
	}
}

// A queue holds the requests that have not been written, in order.
type queue struct {
	list      []*request
	abandoned int // entries of list whose callers have left
}

func (q *queue) waiting() int { return len(q.list) - q.abandoned }

// drop counts an entry whose caller leaves, and removes such entries when they
// are the most. The entry itself is not marked yet and goes the next time.
func (q *queue) drop() {
	q.abandoned++
	if q.abandoned <= len(q.list)/2 || q.abandoned < 64 {
		return
	}
	q.keep(func(r *request) bool { return r.stage != stageAbandoned })
	q.abandoned = 1
}

// keep removes the entries that f does not want.
func (q *queue) keep(f func(*request) bool) {
	kept := q.list[:0]
	for _, r := range q.list {
		if f(r) {
			kept = append(kept, r)
		}
	}
	clear(q.list[len(kept):])
	q.list = kept
}

// take moves requests from the queue to the connection: it appends their frames
// to b until that holds max bytes, and returns it. c.mu is held.
func (c *Client) take(b []byte, limit int) []byte {
	taken := 0
	for _, r := range c.queue.list {
		if len(b) >= limit {
			break
		}
		taken++
		if r.stage == stageAbandoned {
			c.queue.abandoned--
			continue
		}
		if r.xid == 0 {
			r.xid = c.newXid()
		}
		start := len(b)
		b = append(b, r.frame...)
		binary.BigEndian.PutUint32(b[start+xidOffset:], uint32(r.xid)) //nolint:gosec // two's complement is the encoding
		r.frame, r.stage = nil, stageWritten
		c.pending = append(c.pending, r)
	}
	clear(c.queue.list[:taken])
	c.queue.list = c.queue.list[taken:]
	return b
}

// newXid returns the next transaction id, from 1 up and around. c.mu is held.
func (c *Client) newXid() int32 {
	c.xid = max(c.xid+1, 1)
	return c.xid
}
