// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/rollcall-rpc/rollcall/frame"
)

// A partial is a reply of which pieces have come and more are to come.
type partial struct {
	reply Reply
	body  []byte // pooled
}

// read is the reader goroutine.
func (c *ClientConn) read() {
	c.out.mu.Lock()
	flush, _ := c.out.begin(false) // the preface, unless a call has taken it along
	c.out.mu.Unlock()
	if flush {
		c.out.flush(false, false)
	}
	err := c.readPreface()
	for err == nil {
		var h frame.Header
		var payload []byte
		if h, payload, err = c.in.next(); err == nil {
			err = c.handle(h, payload)
		}
		if err == nil && !c.in.buffered() {
			c.flushOwn()
		}
	}
	c.die(c.readCause(err))
}

// flushOwn writes what the reader itself has appended.
func (c *ClientConn) flushOwn() {
	c.out.mu.Lock()
	flush, _ := c.out.begin(false)
	c.out.mu.Unlock()
	if flush {
		c.out.flush(false, false)
	}
}

func (c *ClientConn) readPreface() error {
	if c.opts.HandshakeTimeout > 0 {
		c.limitRead(time.Now().Add(c.opts.HandshakeTimeout))
	}
	b, err := c.in.preface()
	if err != nil {
		var timeout interface{ Timeout() bool }
		if errors.As(err, &timeout) && timeout.Timeout() {
			return ErrHandshakeTimeout
		}
		return err
	}
	if c.opts.HandshakeTimeout > 0 {
		c.limitRead(time.Time{})
	}
	p, err := frame.ParseServerPreface(b)
	if err != nil {
		return err
	}
	c.out.mu.Lock()
	defer c.seat() // there may be fewer places than were thought, or the first ones
	defer c.out.mu.Unlock()
	switch p.Status {
	case frame.StatusWrongInstance:
		c.refused = true
		return fmt.Errorf("%w: meant %q, found %q", ErrWrongInstance, c.opts.InstanceID, p.InstanceID)
	case frame.StatusUnsupportedVersion:
		c.refused = true
		return fmt.Errorf("%w: we speak %d, the server %d", ErrUnsupportedVersion, frame.Version, p.Version)
	case frame.StatusOK:
	}
	c.greeted = true
	c.peer = p.Settings.WithDefaults()
	c.setMost()
	close(c.shaken)
	return nil
}

// handle acts on one frame; an error ends the connection.
func (c *ClientConn) handle(h frame.Header, payload []byte) error {
	switch h.Type {
	case frame.TypeReply:
		return c.onReply(h, payload)
	case frame.TypeData:
		return c.onData(h, payload)
	case frame.TypeError:
		return c.onError(h, payload)
	case frame.TypePing:
		c.out.mu.Lock()
		if !c.out.full() { // a reader must not wait for a writer
			c.out.appendFrame(frame.TypePong, 0, payload)
		}
		c.out.mu.Unlock()
	case frame.TypePong:
		c.out.mu.Lock()
		id := binary.BigEndian.Uint64(payload)
		if id&keepalivePing != 0 {
			c.confirmed = max(c.confirmed, min(id&^keepalivePing, c.out.queued))
		}
		answered := c.pings[id]
		delete(c.pings, id)
		c.out.mu.Unlock()
		if answered != nil {
			answered()
		}
	case frame.TypeGoAway:
		return c.onGoAway(payload)
	case frame.TypeRequest, frame.TypeCancel:
		return protocolError("a server sent %v", h.Type)
	default: // ignorable, as Header.Check has found
	}
	return nil
}

// take removes the call that an answer is for. It is nil if it was given up. whole
// says that the answer shows that all of the request has come, not only its head.
func (c *ClientConn) take(id uint64, whole bool) (*call, error) {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	if id > c.calls.last {
		return nil, protocolError("answer to stream %d, which was never opened", id)
	}
	cl := c.calls.take(id)
	switch {
	case cl == nil:
	case whole:
		c.confirmed = max(c.confirmed, cl.end)
	default:
		c.confirmed = max(c.confirmed, cl.start)
	}
	return cl, nil
}

func (c *ClientConn) waiting(id uint64) (bool, error) {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	if id > c.calls.last {
		return false, protocolError("answer to stream %d, which was never opened", id)
	}
	return c.calls.get(id) != nil, nil
}

func (c *ClientConn) onReply(h frame.Header, payload []byte) error {
	if c.partials[h.StreamID] != nil {
		return protocolError("second REPLY on stream %d", h.StreamID)
	}
	r, err := frame.ParseReply(payload, c.opts.MaxMetadataBytes)
	switch limit := limitOf(err); {
	case limit != nil:
		return c.tooLarge(h.StreamID, limit)
	case err != nil:
		return err
	case len(r.Body) > c.opts.MaxMessageBytes:
		return c.tooLarge(h.StreamID, &frame.LimitError{Kind: frame.LimitMessage, Field: "reply", Value: len(r.Body), Limit: c.opts.MaxMessageBytes})
	}
	reply := Reply{Codec: r.Codec, Metadata: r.Metadata}
	if h.Flags&frame.FlagMore != 0 {
		wanted, err := c.waiting(h.StreamID)
		if wanted {
			c.dropPartials()
			p := &partial{reply: reply, body: getBuffer(2 * len(r.Body))[:0]}
			p.body = append(p.body, r.Body...)
			if c.partials == nil {
				c.partials = make(map[uint64]*partial)
			}
			c.partials[h.StreamID] = p
		}
		return err
	}
	cl, err := c.take(h.StreamID, true)
	if cl != nil {
		reply.setBody(r.Body, cl.buffer)
		cl.finish(reply, nil)
	}
	return err
}

// dropPartials forgets replies of calls that were given up, once there are as many
// as calls can be in flight: their server need not finish them.
func (c *ClientConn) dropPartials() {
	if len(c.partials) < c.opts.MaxStreams {
		return
	}
	for id, p := range c.partials {
		if wanted, _ := c.waiting(id); !wanted {
			delete(c.partials, id)
			putBuffer(p.body)
		}
	}
}

func (c *ClientConn) onData(h frame.Header, payload []byte) error {
	wanted, err := c.waiting(h.StreamID)
	p := c.partials[h.StreamID]
	if err != nil || p == nil {
		return err // pieces of a reply that was given up
	}
	size := len(p.body) + len(payload)
	if !wanted || size > c.opts.MaxMessageBytes {
		delete(c.partials, h.StreamID)
		putBuffer(p.body)
		if wanted {
			return c.tooLarge(h.StreamID, &frame.LimitError{Kind: frame.LimitMessage, Field: "reply", Value: size, Limit: c.opts.MaxMessageBytes})
		}
		return nil
	}
	p.body = append(growBuffer(p.body, len(payload)), payload...)
	if h.Flags&frame.FlagMore != 0 {
		return nil
	}
	delete(c.partials, h.StreamID)
	cl, err := c.take(h.StreamID, true)
	if cl != nil {
		p.reply.buf, p.reply.Body = p.body, p.body
		cl.finish(p.reply, nil)
	}
	return err
}

func (c *ClientConn) onError(h frame.Header, payload []byte) error {
	e, err := frame.ParseError(payload)
	if err != nil {
		return err
	}
	if p := c.partials[h.StreamID]; p != nil {
		delete(c.partials, h.StreamID)
		putBuffer(p.body)
	}
	cl, err := c.take(h.StreamID, e.Executed == frame.ExecutedYes)
	if cl != nil {
		cl.finish(Reply{}, (*RemoteError)(&e))
	}
	return err
}

// tooLarge fails the call whose reply exceeds our limit: it was executed.
func (c *ClientConn) tooLarge(id uint64, limit *frame.LimitError) error {
	cl, err := c.take(id, true)
	if cl != nil {
		cl.finish(Reply{}, &CallError{Executed: frame.ExecutedYes, Phase: PhaseWait, Err: limit})
	}
	return err
}

// maxGoAways is how many a server may send on a connection: two are enough.
const maxGoAways = 100

func (c *ClientConn) onGoAway(payload []byte) error {
	g, err := frame.ParseGoAway(payload)
	if err != nil {
		return err
	}
	if c.goAways++; c.goAways > maxGoAways {
		return protocolError("more than %d GOAWAYs on a connection", maxGoAways)
	}
	// Callers wait for the lock: one that says nothing new does not take it.
	if c.goAways > 1 && g.LastStreamID == c.saidAway.LastStreamID && g.Reason == c.saidAway.Reason {
		return nil
	}
	c.saidAway = g
	cause := &goAwayError{g}
	c.out.mu.Lock()
	if g.LastStreamID > c.lastServe {
		last := c.lastServe
		c.out.mu.Unlock()
		return protocolError("last id of GOAWAY rose from %d to %d", last, g.LastStreamID)
	}
	c.lastServe, c.goAway = g.LastStreamID, cause
	lost := c.calls.takeAbove(g.LastStreamID)
	for _, cl := range lost {
		cl.err = c.failure(cl, cause)
	}
	if g.Reason == frame.GoAwayIdle {
		c.idle.Store(true)
	} else {
		c.draining.Store(true)
	}
	if g.Reason != frame.GoAwayDraining || g.LastStreamID != frame.LastStreamAll {
		c.ending.Store(true)
	}
	c.out.mu.Unlock()
	for _, cl := range lost {
		cl.finish(Reply{}, cl.err)
	}
	if c.opts.OnGoAway != nil {
		c.opts.OnGoAway(g)
	}
	if g.Reason == frame.GoAwayProtocolError {
		return cause
	}
	return nil
}

// readCause turns what ended the reader into what the connection died of. If
// the server broke the protocol it is told.
func (c *ClientConn) readCause(err error) error {
	c.out.mu.Lock()
	goAway, writeErr := c.goAway, c.writeErr
	c.out.mu.Unlock()
	cause := readCause(err)
	switch {
	case errors.Is(err, ErrGoAway):
		return err
	case errors.Is(cause, ErrProtocol):
		c.opts.Log.Warn("server broke the protocol", "error", cause)
		c.tellGoAway(cause)
	case goAway != nil:
		return goAway // the end was announced
	case writeErr != nil && (errors.Is(cause, ErrPeerClosed) || errors.Is(err, os.ErrDeadlineExceeded)):
		return writeErr // the server's end, or our last wait for it, says less
	}
	return cause
}

// tellGoAway sends a last GOAWAY if the socket takes it at once.
func (c *ClientConn) tellGoAway(err error) {
	c.out.mu.Lock()
	c.out.appendFrame(frame.TypeGoAway, 0, frame.AppendGoAway(nil, frame.GoAway{
		Reason: frame.GoAwayProtocolError, Text: err.Error(),
	}))
	var flush bool
	if c.out.raw != nil {
		flush, _ = c.out.begin(false)
	}
	c.out.mu.Unlock()
	if flush {
		c.out.flush(false, false)
	}
}
