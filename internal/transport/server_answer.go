// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"errors"

	"github.com/rollcall-rpc/rollcall/frame"
)

// answer sends a reply, or refusal if that is not nil, and ends r. It runs on
// r's worker; the reply may alias r's buffers.
func (s *ServerConn) answer(r *request, reply Reply, refusal *RemoteError) {
	r.ctx.end(nil)
	s.out.mu.Lock()
	// The error is the connection's, or says that nobody waits for the reply any more:
	// it is dropped. Base contexts end with the connection alone.
	if err := s.out.waitRoomUntil(s.ctx, r.Deadline); err == nil && !r.canceled {
		s.appendAnswer(r.StreamID, reply, refusal)
	}
	s.requests.remove(r)
	r.end()
	s.inFlight--
	if !s.out.full() {
		s.unpark(2)
	}
	s.checkDrained()
	s.unlockAndFlush(true)
	reply.Release()
	r.free()
	s.running.Done()
}

// appendAnswer appends the frames of an answer. out.mu is held, and given up
// while there is no room for another piece.
func (s *ServerConn) appendAnswer(id uint64, reply Reply, refusal *RemoteError) {
	if refusal == nil {
		refusal = s.CheckReply(reply)
	}
	if refusal != nil {
		s.appendError(id, refusal)
		return
	}
	r := frame.Reply{Codec: reply.Codec, Metadata: reply.Metadata, Body: reply.Body}
	var rest []byte
	var flags frame.Flags
	head := r.HeadSize()
	if room := int(s.peer.MaxFrame) - head; len(r.Body) > room {
		r.Body, rest, flags = r.Body[:room], r.Body[room:], frame.FlagMore
	}
	size := head + len(r.Body)
	b := s.out.reserve(frame.HeaderBytes + size)
	b = frame.AppendHeader(b, frame.Header{Length: uint32(size), Type: frame.TypeReply, Flags: flags, StreamID: id}) //nolint:gosec // at most MaxFrame
	s.out.commit(frame.AppendReply(b, &r))
	for len(rest) > 0 {
		if s.out.waitRoom(s.ctx) != nil {
			return
		}
		piece := rest[:min(len(rest), int(s.peer.MaxFrame))]
		rest = rest[len(piece):]
		appendData(&s.out, id, piece, len(rest) > 0)
	}
}

// CheckReply returns what a client that would not take the reply gets in its
// place, and nil where it takes it. A handler may ask before it returns.
func (s *ServerConn) CheckReply(reply Reply) *RemoteError {
	if uint64(len(reply.Body)) > uint64(s.peer.MaxMessage) {
		return tooLarge(ReasonMessageTooLarge, frame.ExecutedYes,
			&frame.LimitError{Kind: frame.LimitMessage, Field: "reply", Value: len(reply.Body), Limit: int(s.peer.MaxMessage)})
	}
	if reply.Metadata == nil {
		return nil
	}
	if limit, ok := errors.AsType[*frame.LimitError](reply.Metadata.Check(int(s.peer.MaxMetadata))); ok {
		return tooLarge(ReasonMetadataTooLarge, frame.ExecutedYes, limit)
	}
	return nil
}

// appendError appends an ERROR frame. out.mu is held.
func (s *ServerConn) appendError(id uint64, e *RemoteError) {
	s.out.appendFrame(frame.TypeError, id, frame.AppendError(nil, (*frame.Error)(e)))
}
