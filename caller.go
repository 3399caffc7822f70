// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rollcall-rpc/rollcall/internal/transport"
)

// errReused is what an attempt met whose connection, one that had rested or carried
// calls before, ended before a byte of the answer: it may have ended of age, which
// says nothing of the instance.
var errReused = errors.New("the connection, which was there before, has ended")

// pool returns the connections of a dialect to the instance.
func (p *peer) pool(d *Dialect) *callerPool {
	p.mu.Lock()
	defer p.mu.Unlock()
	cp := p.pools[d]
	if cp == nil {
		cp = newCallerPool(d, func() (*callerConn, error) {
			c, err := p.connector.caller(p.group.ctx, &p.endpoint.Instance, d)
			if err != nil {
				p.dialFailed(err) // before who waits looks for another one
			}
			return c, err
		}, p.group, p.connector.log)
		if p.retired.Load() {
			cp.retire()
		}
		if p.pools == nil {
			p.pools = make(map[*Dialect]*callerPool)
		}
		p.pools[d] = cp
	}
	return cp
}

// readyDialect connects, where there is no connection with room.
func (p *peer) readyDialect(ctx context.Context, d *Dialect) error {
	cp := p.pool(d)
	c, _, err := cp.take(ctx)
	if err != nil {
		return err
	}
	cp.put(c, false)
	return nil
}

// callDialect makes one attempt of a call in a foreign format.
func (p *peer) callDialect(ctx context.Context, d *Dialect, req *transport.Request, sent *time.Time, elsewhere func() bool) (transport.Reply, Phase, error) {
	if err := ctx.Err(); err != nil {
		return transport.Reply{}, PhaseDial, &transport.CallError{Executed: ExecutedNo, Phase: transport.PhaseQueue, Err: err}
	}
	cp := p.pool(d)
	for {
		c, phase, err := cp.take(ctx)
		if wantsRoom(err) && elsewhere != nil && !elsewhere() && p.makeRoom() {
			elsewhere = nil // once
			continue
		}
		if err != nil {
			return transport.Reply{}, phase, &transport.CallError{Executed: ExecutedNo, Phase: transport.PhaseQueue, Err: err}
		}
		*sent = time.Now()
		reply, phase, err := p.callOn(ctx, cp, c, req)
		if phase == PhaseQueue && errors.Is(err, errReused) {
			continue // as if it had been asked: in the end there is a new one
		}
		return reply, phase, err
	}
}

// callOn makes a call on a connection and gives that back.
func (p *peer) callOn(ctx context.Context, cp *callerPool, c *callerConn, req *transport.Request) (transport.Reply, Phase, error) {
	reused, before := c.reused.Load(), c.conn.tally()
	stop := context.AfterFunc(p.group.ctx, func() { closeCaller(p.connector.log, c.caller) })
	reply, err := contained(p.connector.log, "Caller.Call", func() (Reply, error) {
		return c.caller.Call(ctx, Request{Method: req.Method, Codec: req.Codec, Metadata: req.Metadata, Body: req.Body})
	})
	stop()
	if err == nil {
		cp.put(c, false)
		return transport.Reply{Codec: reply.Codec, Metadata: reply.Metadata, Body: reply.Body}, 0, nil
	}
	typed, _ := errors.AsType[*Error](err)
	answered := typed != nil && typed.Executed == ExecutedYes
	// A Caller that refuses a request says nothing of the instance.
	lost := !answered && (typed == nil || typed.Code == CodeUnavailable) && ctx.Err() == nil && p.group.ctx.Err() == nil
	ended := c.conn.ended.Load()
	unsent := lost && c.conn.unsentSince(before)
	aged := lost && reused && ended && c.conn.silentSince(before)
	cp.put(c, cp.broken(ctx, c, before, answered, lost))
	if lost {
		cp.forget(ended)
		if !aged {
			p.failed(false)
		}
	}
	err = lostError(err, typed, unsent, aged)
	if unsent {
		return transport.Reply{}, PhaseQueue, err
	}
	return transport.Reply{}, PhaseWait, err
}

// broken reports whether a connection is of no further use after a call that has
// failed.
func (cp *callerPool) broken(ctx context.Context, c *callerConn, before tally, answered, lost bool) bool {
	switch {
	case cp.carries == 1: // what comes next may be the answer to this call
		return !answered
	case lost, c.conn.ended.Load():
		return true
	}
	// Others go on with it, but for one on which nothing comes at all: its other end
	// may have vanished.
	return !answered && errors.Is(ctx.Err(), context.DeadlineExceeded) && c.conn.silentSince(before)
}

// lostError is the error of a Caller with what is known beside it: that the request
// was surely not sent, and that the connection was not a new one.
func lostError(err error, typed *Error, unsent, aged bool) error {
	if unsent && typed != nil {
		e := *typed
		e.Executed = ExecutedNo
		err = &e
	}
	if aged {
		err = fmt.Errorf("%w: %w", errReused, err)
	}
	if typed != nil {
		return err
	}
	executed, phase := ExecutedMaybe, transport.PhaseWait
	if unsent {
		executed, phase = ExecutedNo, transport.PhaseQueue
	}
	return &transport.CallError{Executed: executed, Phase: phase, Err: err}
}
