// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/rollcall-rpc/rollcall/frame"
)

const (
	// partingTime bounds what a dying connection still waits for: that its last
	// frames are written, and that the client has read them. A client that is
	// there takes a round trip.
	partingTime = time.Second
	// partingBytes bounds what is read and thrown away meanwhile.
	partingBytes = 1 << 20
)

// A ServerConn is the server's end of a connection. All methods may be called
// from any goroutine; Serve once.
type ServerConn struct {
	conn    net.Conn
	opts    ServerOptions
	workers *Workers
	in      inbox
	ready   batch // the reader's: requests to submit
	out     outbox

	ctx     context.Context //nolint:containedctx // the parent of the handlers'; set by Serve
	cancel  context.CancelCauseFunc
	running sync.WaitGroup // requests submitted to the workers
	drained chan struct{}
	unread  chan struct{} // closed when the reader has ended
	dead    chan struct{}

	// What follows is guarded by out.mu.
	requests   requestTable
	inFlight   int            // submitted and not yet answered
	parked     []*request     // of those, the ones that wait until the client has read replies
	lastSeen   uint64         // the last id of a REQUEST
	lastHanded uint64         // the greatest id submitted
	peer       frame.Settings // what the client receives, without zeros
	greeted    bool           // our preface is in the outbox
	goAway     *frame.GoAway  // to be sent behind the preface
	refusing   bool
	recent     recent
	parts      int64  // bytes of unfinished requests
	lookedAt   uint64 // the outbox's taken at the last look
	stalled    int    // looks since it has moved
	lookedID   uint64 // lastSeen at the last look
	closing    bool   // nothing more is handed to handlers
	ending     error  // why, if it was our decision
	isDrained  bool
}

// NewServerConn takes over conn. It starts nothing: Serve does.
func NewServerConn(conn net.Conn, opts ServerOptions) *ServerConn {
	s := &ServerConn{
		conn: conn, opts: opts.withDefaults(),
		drained: make(chan struct{}), unread: make(chan struct{}), dead: make(chan struct{}),
		peer: frame.Settings{}.WithDefaults(),
	}
	if s.opts.Handler == nil {
		s.opts.Handler = unimplemented
	}
	s.in.init(conn, s.opts.MaxFrameBytes)
	s.in.put(s.opts.First)
	s.out.init(conn, s.opts.QueueBytes, s.writeFailed, s.checkDrained)
	s.out.empty = s.hasRoom
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	return s
}

func unimplemented(context.Context, *ServerRequest) (Reply, error) {
	return Reply{}, &RemoteError{Code: frame.CodeUnimplemented, Executed: frame.ExecutedNo, Message: "the server has no handler"}
}

// Serve reads requests in the caller's goroutine. It returns when the
// connection has ended and every handler has returned: nil if the client ended
// it, [ErrClosed] after Close, the context's cause if ctx ended, else the cause
// of death. Values of ctx are visible to handlers.
func (s *ServerConn) Serve(ctx context.Context) error {
	base, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	stop := context.AfterFunc(s.ctx, func() { cancel(context.Cause(s.ctx)) })
	defer stop()
	closed := make(chan struct{})
	stopClose := context.AfterFunc(ctx, func() {
		defer close(closed)
		s.shut(context.Cause(ctx))
	})
	s.workers = s.opts.Workers
	if s.workers == nil {
		s.workers = NewWorkers()
		defer s.workers.Close()
	}

	err := s.greet()
	if err == nil {
		err = s.read(base)
	}
	if errors.Is(err, io.EOF) {
		s.serveRest()
	}
	s.part(err)
	s.letAllGo()
	close(s.unread)
	<-s.dead
	if !stopClose() {
		<-closed
	}
	s.running.Wait()
	s.out.wg.Wait()
	if err := s.err(); !errors.Is(err, ErrPeerClosed) {
		return err
	}
	return nil
}

// The pauses between the questions of serveRest.
const (
	restPauseMin = 50 * time.Millisecond
	restPauseMax = time.Second
)

// serveRest answers what was read before the client ended its direction of the
// connection. Whether it has ended the other one too, and waits for nothing, shows
// when something is written: PINGs ask.
func (s *ServerConn) serveRest() {
	s.out.mu.Lock()
	if s.ending == nil {
		s.ending = ErrPeerClosed // also where a write fails now: it is the client's end
	}
	s.out.mu.Unlock()
	s.Refuse()
	for pause := restPauseMin; ; pause = min(2*pause, restPauseMax) {
		select {
		case <-s.drained:
			return
		default:
		}
		s.out.mu.Lock()
		if s.inFlight > 0 && !s.out.full() {
			s.out.appendFrame(frame.TypePing, 0, make([]byte, frame.PingBytes))
		}
		s.unlockAndFlush(false)
		timer := time.NewTimer(pause)
		select {
		case <-s.drained: // all is answered, or the connection has died
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// GoAway announces that the client should go elsewhere; requests are still
// served. It does not wait for the peer.
func (s *ServerConn) GoAway(reason frame.GoAwayReason, text string) {
	s.out.mu.Lock()
	if s.closing || s.out.err != nil {
		s.out.mu.Unlock()
		return
	}
	g := frame.GoAway{LastStreamID: frame.LastStreamAll, Reason: reason, Text: text}
	if s.greeted {
		s.appendGoAway(g)
	} else {
		s.goAway = &g
	}
	s.unlockAndFlush(false)
}

// Refuse makes the connection answer new requests with Unavailable, not
// executed, reason [ReasonDraining].
func (s *ServerConn) Refuse() {
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	s.refusing = true
	s.checkDrained()
}

// InFlight returns the number of requests that were handed over and whose reply
// is not yet in the queue.
func (s *ServerConn) InFlight() int {
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	return s.inFlight
}

// Resting reports whether no request is in flight, nor in pieces, and no reply waits
// to be written; requests is the greatest id that was seen.
func (s *ServerConn) Resting() (requests uint64, ok bool) {
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	return s.lastSeen, s.resting()
}

// resting is Resting with out.mu held.
func (s *ServerConn) resting() bool {
	return s.requests.count == 0 && len(s.out.buf) == 0 && !s.out.flushing
}

// Drained is closed, after [ServerConn.Refuse], when no request is in flight and
// all replies have been written, or when the connection has died.
func (s *ServerConn) Drained() <-chan struct{} { return s.drained }

// Close sends a final GOAWAY with the last stream id that was handed over,
// cancels the handlers' contexts and closes the connection. It waits until the
// client has read the GOAWAY and closed its end, at most 2 s for one that does
// not, and not for the handlers: Serve does.
func (s *ServerConn) Close() error {
	s.shut(ErrClosed)
	return nil
}

// CloseIdle is Close for a connection that rests: its client takes nothing else of
// it, and where a request comes at this moment, either it is not executed, and the
// client knows, or the connection stays and CloseIdle returns false. Within patience
// the connection is closed, whether the client has read the GOAWAY or not.
func (s *ServerConn) CloseIdle(patience time.Duration) bool {
	s.out.mu.Lock()
	if !s.resting() {
		s.out.mu.Unlock()
		return false
	}
	s.say(frame.GoAwayIdle, ErrClosed)
	s.out.mu.Unlock()
	timer := time.AfterFunc(patience, func() { s.die(ErrClosed) })
	defer timer.Stop()
	s.shut(ErrClosed)
	return true
}

// shut ends the connection from our side.
func (s *ServerConn) shut(cause error) {
	// The handlers' contexts end after our direction: an answer that a handler gives
	// because we end must not reach the client, who may ask another server.
	if s.lastWord(frame.GoAwayShutdown, cause) && s.endWriting() {
		s.cancel(cause)
		s.awaitReader()
	}
	s.die(cause)
}

// endWriting ends our direction of the connection, and returns false if it cannot
// be ended alone.
func (s *ServerConn) endWriting() bool {
	half, ok := s.conn.(interface{ CloseWrite() error })
	return ok && half.CloseWrite() == nil
}

// awaitReader lets the reader, which throws away what still comes behind the end
// of our direction, find the end of the other: closing a socket with unread bytes
// resets it and may destroy our last word on its way.
func (s *ServerConn) awaitReader() {
	s.conn.SetReadDeadline(time.Now().Add(partingTime)) //nolint:errcheck // a dead connection fails the read
	timer := time.NewTimer(partingTime)                 // Serve may not have been called
	defer timer.Stop()
	select {
	case <-s.unread:
	case <-s.dead:
	case <-timer.C:
	}
}

// say stops handing requests over and appends the last word, once. out.mu is held.
func (s *ServerConn) say(reason frame.GoAwayReason, cause error) {
	if s.closing || s.out.err != nil {
		return
	}
	s.closing, s.ending = true, cause
	if s.greeted {
		s.appendGoAway(frame.GoAway{LastStreamID: s.lastHanded, Reason: reason, Text: cause.Error()})
	}
}

// lastWord stops handing requests over and says so, once. It returns when that
// is written, whoever has said it, and false if it cannot be within partingTime.
func (s *ServerConn) lastWord(reason frame.GoAwayReason, cause error) (said bool) {
	s.out.mu.Lock()
	s.say(reason, cause)
	s.out.mu.Unlock()
	s.conn.SetWriteDeadline(time.Now().Add(partingTime)) //nolint:errcheck // a dead connection fails the write
	s.out.drain()
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	return s.out.alive()
}

// writeFailed is told that the client takes no more bytes. Where we are parting, so
// that handlers answer behind the end of our direction, the connection lives on
// until our last word has been read.
func (s *ServerConn) writeFailed(err error) {
	s.out.mu.Lock()
	parting := s.closing
	s.out.mu.Unlock()
	if !parting {
		s.die(ioError("write", err))
	}
}

// part ends the connection after the reader has, with err.
func (s *ServerConn) part(err error) {
	cause := readCause(err)
	if errors.Is(cause, ErrProtocol) && s.lastWord(frame.GoAwayProtocolError, cause) {
		s.linger()
	}
	s.die(cause)
}

// linger lets the client read our last word: closing a socket with unread bytes
// resets it and may destroy what is on its way.
func (s *ServerConn) linger() {
	if !s.endWriting() {
		return
	}
	s.conn.SetReadDeadline(time.Now().Add(partingTime)) //nolint:errcheck // a dead connection fails the read
	var waste [4 << 10]byte
	for n := 0; n < partingBytes; {
		m, err := s.conn.Read(waste[:])
		if err != nil {
			return
		}
		n += m
	}
}

// die ends the connection with its cause; the first wins.
func (s *ServerConn) die(cause error) {
	s.out.mu.Lock()
	if s.out.err != nil {
		s.out.mu.Unlock()
		return
	}
	if s.ending != nil { // not that the last write timed out
		cause = s.ending
	}
	s.closing = true
	s.out.kill(cause)
	if !s.isDrained {
		s.isDrained = true
		close(s.drained)
	}
	s.out.mu.Unlock()
	s.conn.Close()
	s.cancel(cause)
	close(s.dead)
}

func (s *ServerConn) err() error {
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	return s.out.err
}

// checkDrained closes drained when it is time. out.mu is held.
func (s *ServerConn) checkDrained() {
	if s.refusing && !s.isDrained && s.inFlight == 0 && !s.out.flushing && len(s.out.buf) == 0 {
		s.isDrained = true
		close(s.drained)
	}
}

func (s *ServerConn) appendGoAway(g frame.GoAway) {
	s.out.appendFrame(frame.TypeGoAway, 0, frame.AppendGoAway(nil, g))
}

// unlockAndFlush releases out.mu and flushes if nobody does.
func (s *ServerConn) unlockAndFlush(patient bool) {
	flush, yield := s.out.begin(s.inFlight > 0)
	s.out.mu.Unlock()
	if flush {
		s.out.flush(yield, patient)
	}
}
