// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"context"
	"time"
	"unsafe"

	"github.com/rollcall-rpc/rollcall/frame"
)

// Call sends a request and waits for the answer. It need not wait for
// [ClientConn.Handshake]. When ctx ends it returns at once, and the server is
// told.
//
// Its error is a [*RemoteError] if the server answered with one, else a
// [*CallError]. A request that cannot be sent (a limit, too many calls, a GOAWAY
// seen, a dead connection) is refused with ExecutedNo; too many calls, with
// [ErrTooManyStreams].
func (c *ClientConn) Call(ctx context.Context, req *Request) (Reply, error) {
	if ctx.Err() != nil {
		return Reply{}, notSent(contextError(ctx))
	}
	if !c.enter() {
		return Reply{}, notSent(streamsError(c.most.Load()))
	}
	return c.call(ctx, req)
}

// call is Call on a place that was taken, and gives it back.
func (c *ClientConn) call(ctx context.Context, req *Request) (Reply, error) {
	defer c.leave()
	cl := c.spare.get()
	cl.buffer = req.Buffer
	if err := c.send(ctx, req, cl); err != nil {
		return Reply{}, err
	}
	if err := c.await(ctx, cl); err != nil {
		c.spare.put(cl)
		return Reply{}, err
	}
	reply, err := cl.reply, cl.err
	c.spare.put(cl)
	return reply, err
}

// await returns nil when the call has its answer, else the error of a call that
// was given up because ctx has ended.
func (c *ClientConn) await(ctx context.Context, cl *call) error {
	ended := ctx.Done()
	if ended == nil { // a plain receive takes half the time of a select
		<-cl.done
		return nil
	}
	select {
	case <-cl.done:
		return nil
	case <-ended:
	}
	if err := c.abandon(cl, contextError(ctx)); err != nil {
		return err
	}
	<-cl.done // the reader was faster
	return nil
}

// send puts req on its way. If it returns an error, cl is free.
func (c *ClientConn) send(ctx context.Context, req *Request, cl *call) error {
	c.out.mu.Lock()
	var rest []byte
	err := c.admit(ctx, req)
	if err == nil {
		rest, err = c.appendRequest(ctx, req, cl)
	}
	if err != nil {
		c.out.mu.Unlock()
		c.spare.put(cl)
		return notSent(err)
	}
	if c.sleeping {
		c.sleeping = false
		c.rests.Store(0)
		c.wg.Go(c.monitor) // the connection lives: nobody waits for its end yet
	}
	c.unlockAndFlush()
	if len(rest) > 0 {
		return c.sendRest(ctx, rest, cl)
	}
	return nil
}

// admit waits for room and checks what may have changed meanwhile. out.mu is
// held.
func (c *ClientConn) admit(ctx context.Context, req *Request) error {
	if err := c.out.waitRoom(ctx); err != nil {
		return err
	}
	switch {
	case c.calls.peek() > c.lastServe:
		return c.goAway
	case c.calls.count >= c.maxCalls: // there are fewer places than it was let in on
		return streamsError(c.maxCalls) //nolint:gosec // at most frame.MaxMaxStreams
	case len(req.Method) > frame.MaxMethod:
		return &frame.LimitError{Kind: frame.LimitMethod, Field: "method", Value: len(req.Method), Limit: frame.MaxMethod}
	case uint64(len(req.Body)) > uint64(c.peer.MaxMessage):
		return &frame.LimitError{Kind: frame.LimitMessage, Field: "message", Value: len(req.Body), Limit: int(c.peer.MaxMessage)}
	case req.Metadata != nil:
		return req.Metadata.Check(int(c.peer.MaxMetadata))
	}
	return nil
}

// appendRequest enters cl and appends the request's first piece. It returns
// what is left of the body. out.mu is held.
func (c *ClientConn) appendRequest(ctx context.Context, req *Request, cl *call) (rest []byte, err error) {
	r := frame.Request{
		Codec: req.Codec, Metadata: req.Metadata, Body: req.Body,
		Method: unsafe.Slice(unsafe.StringData(req.Method), len(req.Method)), //nolint:gosec // only read
	}
	if deadline, ok := ctx.Deadline(); ok {
		r.Remaining = time.Until(deadline)
		if r.Remaining <= 0 {
			return nil, ErrDeadline
		}
	}
	head := r.HeadSize()
	var flags frame.Flags
	if room := int(c.peer.MaxFrame) - head; len(r.Body) > room {
		r.Body, rest, flags = r.Body[:room], r.Body[room:], frame.FlagMore
	}
	c.calls.add(cl)
	cl.start, cl.complete = c.out.queued, flags == 0
	size := head + len(r.Body)
	b := c.out.reserve(frame.HeaderBytes + size)
	b = frame.AppendHeader(b, frame.Header{Length: uint32(size), Type: frame.TypeRequest, Flags: flags, StreamID: cl.id}) //nolint:gosec // at most MaxFrame
	c.out.commit(frame.AppendRequest(b, &r))
	cl.end = c.out.queued
	return rest, nil
}

// sendRest appends the further pieces as there is room. cl may fail meanwhile;
// only its caller, that is we, frees it.
func (c *ClientConn) sendRest(ctx context.Context, rest []byte, cl *call) error {
	id := cl.id // once cl is taken from the table, its taker writes to it
	for len(rest) > 0 {
		c.out.mu.Lock()
		err := c.out.waitRoom(ctx)
		if c.out.err != nil || c.calls.get(id) != cl { // failed with the connection, or answered
			c.out.mu.Unlock()
			return nil //nolint:nilerr // told in another way
		}
		if err != nil { // the context's
			c.out.mu.Unlock()
			if err := c.abandon(cl, err); err != nil {
				c.spare.put(cl)
				return err
			}
			return nil
		}
		piece := rest[:min(len(rest), int(c.peer.MaxFrame))]
		rest = rest[len(piece):]
		appendData(&c.out, id, piece, len(rest) > 0)
		cl.complete, cl.end = len(rest) == 0, c.out.queued
		c.unlockAndFlush()
	}
	return nil
}

// abandon withdraws cl, and returns its error for that cause. It returns nil if
// somebody else has taken cl already and will signal done.
func (c *ClientConn) abandon(cl *call, cause error) error {
	c.out.mu.Lock()
	if c.calls.take(cl.id) == nil {
		c.out.mu.Unlock()
		return nil
	}
	err := c.failure(cl, cause)
	switch {
	case !c.out.alive():
	case cl.start >= c.out.sent: // the socket has seen none of it
		c.withdraw(cl)
	case cl.complete:
		c.out.appendFrame(frame.TypeCancel, cl.id, nil)
	default: // without its last piece no handler gets it
		err = &CallError{Executed: frame.ExecutedNo, Phase: PhaseWrite, Err: cause}
		c.out.appendFrame(frame.TypeCancel, cl.id, nil)
	}
	c.unlockAndFlush()
	return err
}

// withdraw makes frames that are ignored of those of cl, which all lie in the
// outbox: cheaper than moving what lies behind them. out.mu is held.
func (c *ClientConn) withdraw(cl *call) {
	for b := c.out.buf[cl.start-c.out.sent:]; len(b) >= frame.HeaderBytes; {
		h, _ := frame.ParseHeader(b) // we wrote it
		if h.StreamID == cl.id {
			b[4] = byte(frame.TypePadding)
			if h.Flags&frame.FlagMore == 0 {
				return
			}
		}
		b = b[frame.HeaderBytes+int(h.Length):]
	}
}

func notSent(cause error) error {
	return &CallError{Executed: frame.ExecutedNo, Phase: PhaseQueue, Err: cause}
}
