// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"context"
	"errors"
	"time"

	"github.com/rollcall-rpc/rollcall/internal/loglimit"
	"github.com/rollcall-rpc/rollcall/internal/transport"
)

// maxIdleCallers is how many connections of a dialect a client keeps to one
// instance while no call needs them.
const maxIdleCallers = 16

// A callerPool holds a dialect's connections to one instance. The peer's mutex
// guards it.
type callerPool struct {
	idle []Caller // the last one used is used first
	busy int      // those that a call is on
}

func (cp *callerPool) closeIdle(log *loglimit.Limiter) {
	for _, c := range cp.idle {
		closeCaller(log, c)
	}
	cp.idle = nil
}

// takeCaller returns an idle connection, or a new one. The dial goes on when ctx
// ends: it tells of the instance, and another call may use what comes of it.
func (p *peer) takeCaller(ctx context.Context, d *Dialect) (Caller, error) {
	if c := p.takeIdle(); c != nil {
		return c, nil
	}
	type dialed struct {
		caller Caller
		err    error
	}
	done := make(chan dialed)
	if p.retired.Load() || !p.group.spawn(func() {
		c, err := p.dialCaller(d)
		if err != nil {
			p.failed(true)
		}
		select {
		case done <- dialed{c, err}:
		case <-ctx.Done():
			if err == nil {
				p.putCaller(c, false)
			}
		}
	}) {
		return nil, errRetired
	}
	select {
	case r := <-done:
		return r.caller, r.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// takeIdle returns an idle connection; nil: there is none.
func (p *peer) takeIdle() Caller {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.callers.idle)
	if n == 0 {
		return nil
	}
	c := p.callers.idle[n-1]
	p.callers.idle = p.callers.idle[:n-1]
	p.callers.busy++
	return c
}

// dialCaller opens a connection that a call is on.
func (p *peer) dialCaller(d *Dialect) (Caller, error) {
	c, err := p.connector.caller(p.group.ctx, &p.endpoint.Instance, d)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	p.callers.busy++
	p.mu.Unlock()
	return c, nil
}

// putCaller takes a connection back; a broken one is closed.
func (p *peer) putCaller(c Caller, broken bool) {
	p.mu.Lock()
	p.callers.busy--
	keep := !broken && !p.retired.Load() && len(p.callers.idle) < maxIdleCallers
	if keep {
		p.callers.idle = append(p.callers.idle, c)
	}
	p.mu.Unlock()
	if !keep {
		closeCaller(p.connector.log, c)
	}
}

// readyDialect connects, where there is no idle connection.
func (p *peer) readyDialect(ctx context.Context, d *Dialect) error {
	c, err := p.takeCaller(ctx, d)
	if err != nil {
		return err
	}
	p.putCaller(c, false)
	return nil
}

// callDialect makes one attempt of a call in a foreign format.
func (p *peer) callDialect(ctx context.Context, d *Dialect, req *transport.Request, sent *time.Time) (transport.Reply, Phase, error) {
	if err := ctx.Err(); err != nil {
		return transport.Reply{}, PhaseDial, &transport.CallError{Executed: ExecutedNo, Phase: transport.PhaseQueue, Err: err}
	}
	c, err := p.takeCaller(ctx, d)
	if err != nil {
		return transport.Reply{}, PhaseDial, &transport.CallError{Executed: ExecutedNo, Phase: transport.PhaseQueue, Err: err}
	}
	*sent = time.Now()
	stop := context.AfterFunc(p.group.ctx, func() { closeCaller(p.connector.log, c) })
	reply, err := contained(p.connector.log, "Caller.Call", func() (Reply, error) {
		return c.Call(ctx, Request{Method: req.Method, Codec: req.Codec, Metadata: req.Metadata, Body: req.Body})
	})
	stop()
	var typed *Error
	answered := err == nil || (errors.As(err, &typed) && typed.Executed == ExecutedYes)
	p.putCaller(c, !answered)
	if err == nil {
		return transport.Reply{Codec: reply.Codec, Metadata: reply.Metadata, Body: reply.Body}, 0, nil
	}
	if typed == nil {
		err = &transport.CallError{Executed: ExecutedMaybe, Phase: transport.PhaseWait, Err: err}
	}
	// A Caller that refuses a request says nothing of the instance.
	if !answered && (typed == nil || typed.Code == CodeUnavailable) && ctx.Err() == nil && p.group.ctx.Err() == nil {
		p.forgetIdle()
		p.failed(false)
	}
	return transport.Reply{}, PhaseWait, err
}

// forgetIdle closes the idle connections after one has died under a call: they
// have most likely died with it.
func (p *peer) forgetIdle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.callers.closeIdle(p.connector.log)
}
