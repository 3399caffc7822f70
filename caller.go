// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"context"
	"errors"

	"github.com/rollcall-rpc/rollcall/internal/transport"
)

// maxIdleCallers is how many connections of a dialect a client keeps to one
// instance while no call needs them.
const maxIdleCallers = 16

// A callerPool holds a dialect's connections to one instance. The peer's mutex
// guards it.
type callerPool struct {
	idle []Caller            // the last one used is used first
	busy map[Caller]struct{} // a call is on it
}

func (cp *callerPool) closeIdle() {
	for _, c := range cp.idle {
		c.Close() //nolint:errcheck // it is not wanted
	}
	cp.idle = nil
}

func (cp *callerPool) closeAll() {
	cp.closeIdle()
	for c := range cp.busy {
		c.Close() //nolint:errcheck // it is not wanted
	}
}

// takeCaller returns an idle connection, or a new one.
func (p *peer) takeCaller(d *Dialect) (Caller, error) {
	p.mu.Lock()
	if n := len(p.callers.idle); n > 0 && !p.retired.Load() {
		c := p.callers.idle[n-1]
		p.callers.idle = p.callers.idle[:n-1]
		p.callers.busy[c] = struct{}{}
		p.mu.Unlock()
		return c, nil
	}
	p.mu.Unlock()
	conn, err := p.dialTCP()
	if err != nil {
		p.failed(true)
		return nil, err
	}
	c, err := d.Dial(p.client.ctx, p.endpoint.Instance, conn)
	if err != nil {
		conn.Close() //nolint:errcheck // it is not wanted
		p.failed(true)
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.retired.Load() {
		c.Close() //nolint:errcheck // it is not wanted
		return nil, errRetired
	}
	if p.callers.busy == nil {
		p.callers.busy = make(map[Caller]struct{})
	}
	p.callers.busy[c] = struct{}{}
	return c, nil
}

// putCaller takes a connection back; a broken one is closed.
func (p *peer) putCaller(c Caller, broken bool) {
	p.mu.Lock()
	delete(p.callers.busy, c)
	keep := !broken && !p.retired.Load() && len(p.callers.idle) < maxIdleCallers
	if keep {
		p.callers.idle = append(p.callers.idle, c)
	}
	p.mu.Unlock()
	if !keep {
		c.Close() //nolint:errcheck // it is not wanted
	}
}

// readyDialect connects, where there is no idle connection.
func (p *peer) readyDialect(d *Dialect) error {
	c, err := p.takeCaller(d)
	if err != nil {
		return err
	}
	p.putCaller(c, false)
	return nil
}

// callDialect makes one attempt of a call in a foreign format.
func (p *peer) callDialect(ctx context.Context, d *Dialect, req *transport.Request) (transport.Reply, string, error) {
	if err := ctx.Err(); err != nil {
		return transport.Reply{}, phaseDial, &transport.CallError{Executed: ExecutedNo, Phase: transport.PhaseQueue, Err: err}
	}
	c, err := p.takeCaller(d)
	if err != nil {
		return transport.Reply{}, phaseDial, &transport.CallError{Executed: ExecutedNo, Phase: transport.PhaseQueue, Err: err}
	}
	reply, err := c.Call(ctx, Request(*req))
	var typed *Error
	answered := err == nil || (errors.As(err, &typed) && typed.Executed == ExecutedYes)
	p.putCaller(c, !answered)
	if err == nil {
		return transport.Reply{Codec: reply.Codec, Metadata: reply.Metadata, Body: reply.Body}, "", nil
	}
	if typed == nil {
		err = &transport.CallError{Executed: ExecutedMaybe, Phase: transport.PhaseWait, Err: err}
	}
	if !answered && ctx.Err() == nil && p.client.ctx.Err() == nil {
		p.forgetIdle()
		p.failed(false)
	}
	return transport.Reply{}, transport.PhaseWait.String(), err
}

// forgetIdle closes the idle connections after one has died under a call: they
// have most likely died with it.
func (p *peer) forgetIdle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.callers.closeIdle()
}
