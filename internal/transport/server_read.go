// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rollcall-rpc/rollcall/frame"
)

// greet exchanges prefaces.
func (s *ServerConn) greet() error {
	if s.opts.HandshakeTimeout > 0 {
		s.conn.SetReadDeadline(time.Now().Add(s.opts.HandshakeTimeout)) //nolint:errcheck // a dead connection fails the read
	}
	b, err := s.in.preface()
	if err != nil {
		var timeout interface{ Timeout() bool }
		if errors.As(err, &timeout) && timeout.Timeout() {
			return ErrHandshakeTimeout
		}
		return err
	}
	if s.opts.HandshakeTimeout > 0 {
		s.conn.SetReadDeadline(time.Time{}) //nolint:errcheck // a dead connection fails the read
	}
	p, err := frame.ParsePreface(b)
	answer := frame.ServerPreface{Status: frame.StatusOK, InstanceID: s.opts.InstanceID, Settings: s.opts.settings()}
	var version *frame.VersionError
	switch {
	case errors.As(err, &version):
		answer.Status = frame.StatusUnsupportedVersion
		return s.refuse(answer, fmt.Errorf("%w: the client speaks %d, we %d", ErrUnsupportedVersion, version.Got, version.Want))
	case err != nil:
		return err
	case p.InstanceID != "" && p.InstanceID != s.opts.InstanceID:
		answer.Status = frame.StatusWrongInstance
		return s.refuse(answer, fmt.Errorf("%w: the client means %q, we are %q", ErrWrongInstance, p.InstanceID, s.opts.InstanceID))
	}
	s.out.mu.Lock()
	s.peer = p.Settings.WithDefaults()
	s.greeted = true
	s.out.commit(frame.AppendServerPreface(s.out.reserve(frame.MaxPrefaceBytes), answer))
	if s.goAway != nil {
		s.appendGoAway(*s.goAway)
	}
	s.unlockAndFlush(false)
	return nil
}

// refuse answers the preface and ends the connection.
func (s *ServerConn) refuse(answer frame.ServerPreface, cause error) error {
	s.out.mu.Lock()
	if s.closing || s.out.err != nil {
		s.out.mu.Unlock()
		return cause
	}
	s.closing = true
	s.out.commit(frame.AppendServerPreface(s.out.reserve(frame.MaxPrefaceBytes), answer))
	s.out.mu.Unlock()
	s.conn.SetWriteDeadline(time.Now().Add(partingTime)) //nolint:errcheck // a dead connection fails the write
	s.out.drain()
	s.linger()
	return cause
}

// read is the reader's loop. base is the parent of the handlers' contexts.
func (s *ServerConn) read(base context.Context) error {
	defer func() { s.workers.submit(&s.ready) }() // also what came before an error
	for {
		h, payload, err := s.in.next()
		if err != nil {
			return err
		}
		switch h.Type {
		case frame.TypeRequest:
			err = s.onRequest(base, h, payload)
		case frame.TypeData:
			err = s.onData(base, h, payload)
		case frame.TypeCancel:
			err = s.onCancel(h.StreamID)
		case frame.TypePing:
			s.out.mu.Lock()
			if !s.out.full() { // a reader must not wait for a writer: the PONG may be dropped
				s.out.appendFrame(frame.TypePong, 0, payload)
			}
			s.out.mu.Unlock()
		case frame.TypeGoAway:
			_, err = frame.ParseGoAway(payload) // the client will open no more streams
		case frame.TypeReply, frame.TypeError:
			err = protocolError("a client sent %v", h.Type)
		default: // PONG, or ignorable
		}
		if err != nil {
			return err
		}
		// The reader may have to wait now. Until then what it has read goes to the
		// workers, and what it has appended to the socket, in one go each.
		if !s.in.buffered() {
			s.workers.submit(&s.ready)
			s.out.mu.Lock()
			s.unlockAndFlush(false)
		}
	}
}

func (s *ServerConn) onRequest(base context.Context, h frame.Header, payload []byte) error {
	q, err := frame.ParseRequest(payload, s.opts.MaxMetadataBytes)
	limit := limitOf(err)
	if err != nil && limit == nil {
		return err
	}
	var refusal *RemoteError
	switch {
	case limit != nil:
		refusal = tooLarge(ReasonMetadataTooLarge, frame.ExecutedNo, limit)
	case len(q.Body) > s.opts.MaxMessageBytes:
		refusal = s.messageTooLarge(len(q.Body))
	}
	var r *request
	more := h.Flags&frame.FlagMore != 0
	if refusal == nil { // copied before the lock, though it may still be refused
		r = newRequest(s)
		r.fill(&q, h.StreamID, more)
		if !more {
			r.seal(base)
		}
	}
	s.out.mu.Lock()
	if s.out.full() { // who does not read his replies is not read either
		s.workers.submit(&s.ready)
		if err := s.out.waitRoom(s.ctx); err != nil {
			s.out.mu.Unlock()
			if r != nil {
				r.free()
			}
			return nil // the reader finds the connection's end
		}
	}
	if h.StreamID <= s.lastSeen {
		err = protocolError("id %d of REQUEST follows %d: ids must increase", h.StreamID, s.lastSeen)
		s.out.mu.Unlock()
		return err
	}
	s.lastSeen = h.StreamID
	switch {
	case s.closing: // our last GOAWAY has said so: it is not executed, and not answered
		s.out.mu.Unlock()
		return nil
	case refusal != nil:
	case s.refusing:
		refusal = draining()
	case s.requests.count >= s.opts.MaxStreams:
		refusal = notExecuted(frame.CodeUnavailable, ReasonTooManyStreams, fmt.Sprintf("%d calls are in flight on the connection", s.requests.count))
	case more:
		refusal = s.hold(r)
	default:
		refusal = s.admit(r)
	}
	if refusal != nil {
		err := s.reject(h.StreamID, refusal)
		s.out.mu.Unlock()
		if err == nil {
			s.tellRefused(q.Method, q.Metadata, len(q.Body), refusal)
		}
		if r != nil {
			r.free()
		}
		return err
	}
	s.requests.add(r)
	if more { // it holds its place among the streams, but no handler
		s.out.mu.Unlock()
		return nil
	}
	s.handOver(r)
	return nil
}

// admit asks the owner whether a complete request is let in; nil: it is, and must be
// handed over. out.mu is held.
func (s *ServerConn) admit(r *request) (refusal *RemoteError) {
	if s.opts.Admit != nil {
		r.Ticket, refusal = s.opts.Admit(&r.ServerRequest)
	}
	return refusal
}

// handOver lets a complete request, which is in the table, be given to the
// workers together with its neighbours. It releases out.mu.
func (s *ServerConn) handOver(r *request) {
	s.lastHanded = max(s.lastHanded, r.StreamID)
	s.inFlight++
	s.running.Add(1)
	s.out.mu.Unlock()
	s.ready.add(&r.task)
}

func (s *ServerConn) onData(base context.Context, h frame.Header, payload []byte) error {
	s.out.mu.Lock()
	if err := s.known(h); err != nil {
		s.out.mu.Unlock()
		return err
	}
	r := s.requests.get(h.StreamID)
	var refusal *RemoteError
	switch {
	case r == nil || s.closing: // a piece of a message that was refused
		s.out.mu.Unlock()
		return nil
	case !r.partial:
		s.out.mu.Unlock()
		return protocolError("DATA on stream %d, whose request is complete", h.StreamID)
	case len(r.buf)-r.nameLen+len(payload) > s.opts.MaxMessageBytes:
		refusal = s.messageTooLarge(len(r.buf) - r.nameLen + len(payload))
	case s.refusing: // begun before the drain, not complete: no handler has it
		refusal = draining()
	}
	if refusal != nil {
		return s.rejectPart(r, len(payload), refusal)
	}
	r.buf = append(growBuffer(r.buf, len(payload)), payload...)
	if h.Flags&frame.FlagMore != 0 {
		if refusal := s.hold(r); refusal != nil {
			return s.rejectPart(r, 0, refusal)
		}
		s.out.mu.Unlock()
		return nil
	}
	s.letGo(r)
	r.seal(base)
	if refusal := s.admit(r); refusal != nil {
		return s.rejectPart(r, 0, refusal)
	}
	s.handOver(r)
	return nil
}

// rejectPart refuses a request of which some was taken already, and further bytes
// of its body were not. It releases out.mu.
func (s *ServerConn) rejectPart(r *request, further int, refusal *RemoteError) error {
	s.requests.remove(r)
	s.letGo(r)
	err := s.reject(r.StreamID, refusal)
	s.out.mu.Unlock()
	if err == nil {
		s.tellRefused(r.buf[:r.nameLen], r.Metadata, len(r.buf)-r.nameLen+further, refusal)
	}
	r.free()
	return err
}

func (s *ServerConn) onCancel(id uint64) error {
	s.out.mu.Lock()
	if err := s.known(frame.Header{Type: frame.TypeCancel, StreamID: id}); err != nil {
		s.out.mu.Unlock()
		return err
	}
	r := s.requests.get(id)
	if r == nil {
		s.recent.canceled(id)
		s.out.mu.Unlock()
		return nil
	}
	if r.partial {
		s.requests.remove(r)
		s.letGo(r)
		s.out.mu.Unlock()
		r.free()
		return nil
	}
	r.canceled = true
	ctx := r.ctx // r is reused once its handler has answered
	s.out.mu.Unlock()
	ctx.end(errCanceledByPeer)
	return nil
}

// errCanceledByPeer is the cause of a context that a CANCEL has ended.
var errCanceledByPeer = errors.New("transport: cancelled by the client")

// known checks that a frame is for a stream that was opened. out.mu is held.
func (s *ServerConn) known(h frame.Header) error {
	if h.StreamID > s.lastSeen {
		return protocolError("%v on stream %d, which was never opened", h.Type, h.StreamID)
	}
	return nil
}

// reject appends an ERROR for a request that is not handed over. It waits for
// room: a client that does not read its refusals is not read either. out.mu is
// held, and given up meanwhile.
func (s *ServerConn) reject(id uint64, e *RemoteError) error {
	if s.out.full() {
		s.workers.submit(&s.ready)
	}
	if err := s.out.waitRoom(s.ctx); err != nil {
		return err
	}
	s.appendError(id, e)
	return nil
}

// tellRefused tells the owner of a request that was refused. out.mu is not held.
func (s *ServerConn) tellRefused(method []byte, metadata frame.Metadata, bodyBytes int, e *RemoteError) {
	if s.opts.OnRefused != nil {
		s.opts.OnRefused(Refusal{Method: method, Metadata: metadata, BodyBytes: bodyBytes, Err: e})
	}
}

func (s *ServerConn) messageTooLarge(size int) *RemoteError {
	return tooLarge(ReasonMessageTooLarge, frame.ExecutedNo, &frame.LimitError{Kind: frame.LimitMessage, Field: "message", Value: size, Limit: s.opts.MaxMessageBytes})
}

func tooLarge(reason string, executed frame.Executed, limit *frame.LimitError) *RemoteError {
	return &RemoteError{Code: frame.CodeResourceExhausted, Executed: executed, Reason: reason, Message: limit.Error()}
}

func draining() *RemoteError {
	return notExecuted(frame.CodeUnavailable, ReasonDraining, "the server is draining; call another one")
}

func notExecuted(code frame.Code, reason, message string) *RemoteError {
	return &RemoteError{Code: code, Executed: frame.ExecutedNo, Reason: reason, Message: message}
}
