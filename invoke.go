// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"context"
	"sync"
	"time"

	"github.com/rollcall-rpc/rollcall/internal/transport"
)

// Invoke answers a request that has come in another format than Rollcall's own:
// it is what the Serve of a [Protocol] hands its requests to. The request goes the
// way of any other: admissions, decoding by request.Codec, interceptors, the
// method's handler; [ServerEvents] tell of it, [Server.State] counts it, a drain
// waits for it, and a panic is contained. Metadata and Body are the server's until
// Invoke returns; the reply is the caller's, and its Body may be that of the
// request.
//
// Every error is an [*Error] whose Executed is right. A server that drains and
// refuses, or has stopped, answers CodeUnavailable, ReasonDraining, not executed.
// The handler's context is derived from ctx; it ends also when the server stops
// for good. Invoke may be called from any goroutine, before Serve too.
func (s *Server) Invoke(ctx context.Context, request Request, peer Peer) (Reply, error) {
	h := s.method([]byte(request.Method))
	call := &servedCall{info: CallInfo{
		Method: request.Method, Metadata: request.Metadata, Size: len(request.Body), Peer: peer, Handled: h != nil,
	}}
	if !peer.use.begin() { // the answer could not be sent any more
		refusal := refuse(CodeUnavailable, ReasonConnection, "the connection is closed")
		call.Context = ctx
		s.refused(call, refusal)
		return Reply{}, remoteError(refusal)
	}
	defer peer.use.end()
	if !s.invoked.enter() {
		refusal := refuse(CodeUnavailable, ReasonDraining, "the server is draining; call another one")
		call.Context = ctx
		s.refused(call, refusal)
		return Reply{}, remoteError(refusal)
	}
	defer s.invoked.leave()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(s.life, func() { cancel(context.Cause(s.life)) })
	defer stop()
	call.Context = ctx
	if h != nil && h.gate != nil {
		var left time.Duration
		deadline, bounded := ctx.Deadline()
		if bounded {
			left = max(time.Until(deadline), 1)
		}
		if refusal := h.gate.begin(h.name, left, request.Metadata); refusal != nil {
			s.refused(call, refusal)
			return Reply{}, remoteError(refusal)
		}
		defer func() {
			now := time.Now()
			h.gate.end(h.name, now, bounded && !now.Before(deadline), left)
		}()
	}
	reply, failure := s.answer(call, h, request.Codec, request.Body)
	if failure != nil {
		return Reply{}, remoteError(failure)
	}
	return Reply{Codec: reply.Codec, Metadata: reply.Metadata, Body: reply.Body}, nil
}

// dispatch answers a request of Rollcall's own protocol. It is called on the
// request's own goroutine.
func (s *Server) dispatch(req *transport.ServerRequest, conn *transport.ServerConn, peer *Peer) (transport.Reply, error) {
	call := req.Owner.(*servedCall) //nolint:forcetypeassert // newCall has made it
	call.conn, call.info.Metadata, call.info.Size, call.info.Peer = conn, req.Metadata, len(req.Body), *peer
	h, _ := req.Ticket.(*handled)
	if h == nil { // it is not handled, or never refused
		h = s.method(req.Method)
	}
	if h != nil {
		call.info.Method, call.info.Handled = h.name, true
	} else {
		call.info.Method = string(req.Method)
	}
	reply, failure := s.answer(call, h, req.Codec, req.Body)
	if failure != nil {
		return transport.Reply{}, failure
	}
	return reply, nil
}

// tellRefused tells of a request that the connection refused by itself.
func (s *Server) tellRefused(ctx context.Context, r *transport.Refusal, peer *Peer) {
	s.refused(&servedCall{Context: ctx, info: CallInfo{
		Method: string(r.Method), Metadata: r.Metadata, Size: r.BodyBytes, Peer: *peer, Handled: s.method(r.Method) != nil,
	}}, r.Err)
}

// refused tells the events of a call that is answered with an error and of which
// nothing else is made.
func (s *Server) refused(call *servedCall, refusal *transport.RemoteError) {
	events := &s.opts.Events
	defer s.containEvent()
	var ctx context.Context = call
	if events.CallBegin != nil {
		if derived := events.CallBegin(ctx, &call.info); derived != nil {
			ctx = derived
		}
	}
	if events.CallEnd != nil {
		events.CallEnd(ctx, ServerCallEnd{Call: &call.info, Code: refusal.Code, Err: remoteError(refusal), Refused: true})
	}
}

// invocations counts the calls of [Server.Invoke].
type invocations struct {
	running sync.WaitGroup

	mu       sync.Mutex // guards what follows
	count    int
	refusing bool
}

// enter counts one more, unless they are refused.
func (i *invocations) enter() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.refusing {
		return false
	}
	i.count++
	i.running.Add(1)
	return true
}

func (i *invocations) leave() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.count--
	i.running.Done()
}

// refuse lets no more in. Wait for running after it.
func (i *invocations) refuse() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.refusing = true
}

func (i *invocations) inFlight() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.count
}
