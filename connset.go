// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-rpc/rollcall/frame"
	"github.com/rollcall-rpc/rollcall/internal/transport"
)

const maxSniffBytes = 64

// A connSet owns the connections of a serving server.
type connSet struct {
	server     *Server
	instanceID string
	tls        *tls.Config // nil: clear text
	http       *httpServer // nil: no HTTP
	workers    *transport.Workers
	wg         sync.WaitGroup // a goroutine per connection
	waiters    sync.WaitGroup // the goroutines of refuse and drained

	listener  net.Listener
	stopping  atomic.Bool   // no connection is wanted any more
	accepted  chan struct{} // closed when the accept loop has ended
	acceptErr error         // read it after accepted

	ctx    context.Context //nolint:containedctx // the server's life: ends when connections are to be closed
	work   context.Context //nolint:containedctx // ends when Protocols are to take no more work
	finish context.CancelFunc

	unfinished *transport.Unfinished
	greedy     chan struct{} // capacity 1: too much is unfinished
	left       chan struct{} // capacity 1: a connection that was told to go has left

	mu       sync.Mutex // guards what follows
	places   places
	draining bool
	refusing bool
}

func newConnSet(s *Server, l net.Listener, instanceID string) *connSet {
	c := &connSet{
		server:     s,
		listener:   l,
		accepted:   make(chan struct{}),
		instanceID: instanceID,
		workers:    transport.NewWorkers(),
		unfinished: transport.NewUnfinished(s.opts.MaxBufferedBytes),
		greedy:     make(chan struct{}, 1),
		left:       make(chan struct{}, 1),
		places:     newPlaces(s.opts.MaxConnections, s.opts.MaxConnectionsPerHost, s.opts.MaxPendingConnections),
	}
	var alpn []string
	if s.pages.served.Load() {
		c.http = newHTTPServer(s, l.Addr())
		alpn = []string{alpnHTTP2, alpnHTTP1}
	}
	c.tls = newServerTLS(s.opts.TLS, alpn...)
	c.ctx = s.life
	c.work, c.finish = context.WithCancel(c.ctx)
	return c
}

// start begins to accept connections; stopAccepting or close ends that.
func (c *connSet) start() {
	if c.http != nil {
		c.http.start()
	}
	c.waiters.Go(c.look)
	go func() {
		defer close(c.accepted)
		c.acceptErr = c.accept()
	}()
}

// serve serves one connection to its end. A panic, of a Protocol or a TLS callback,
// ends it alone.
func (c *connSet) serve(g *guest) {
	begun, conn := time.Now(), g.conn
	info := ConnInfo{Peer: Peer{Addr: conn.RemoteAddr()}}
	defer func() {
		if value := recover(); value != nil {
			what := "protocol panicked"
			if info.Protocol == "" { // it was not known yet
				what = "Match of a protocol, or a TLS callback, panicked"
			}
			c.server.logPanic(what, value, "protocol", info.Protocol, "address", info.Peer.Addr.String())
			info.Err = fmt.Errorf("rollcall: %s: %v", what, value)
		}
		conn.Close() // it is over
		c.mu.Lock()
		c.places.leave(g)
		if g.shed != nil {
			info.Err = g.shed
		}
		c.mu.Unlock()
		c.tellLeft()
		info.Elapsed = time.Since(begun)
		tell(c.server, c.server.opts.Events.ConnClose, info)
	}()
	replay, protocol, err := c.identify(g)
	c.mu.Lock()
	stays := c.places.heard(g)
	c.mu.Unlock()
	switch {
	case !stays: // what it has said came too late
		return
	case errors.Is(err, io.EOF) && len(replay.first) == 0:
		return // a health probe
	case err != nil:
		info.Err = err
		if c.ctx.Err() == nil {
			c.server.log.Warn("connection closed: no known protocol", "address", conn.RemoteAddr().String(), "first_bytes", fmt.Sprintf("%q", replay.first), "error", err)
		}
		return
	}
	info.Peer, info.Protocol = PeerOf(replay), ProtocolName
	if protocol != nil {
		info.Protocol = protocol.Name
	}
	tell(c.server, c.server.opts.Events.ConnOpen, info)
	if protocol == nil {
		info.Err = c.serveRollcall(g, replay, &info.Peer)
	} else {
		info.Err = c.serveProtocol(g, protocol, replay)
	}
}

// identify finds out what a new connection speaks, inside TLS where it begins like
// that; see sniff. The connection that it returns is the one to speak on.
func (c *connSet) identify(g *guest) (replay *replayConn, protocol *Protocol, err error) {
	first, protocol, err := c.sniff(g.conn)
	replay = newReplayConn(g, g.conn, first)
	switch {
	case c.tls == nil || len(first) == 0:
		if len(first) > 0 && first[0] == firstByteTLS && errors.Is(err, errUnknownProtocol) {
			err = errNoTLS
		}
		return replay, protocol, err
	case first[0] != firstByteTLS:
		if err == nil && !c.server.opts.AllowPlaintext {
			err = errClearText
		}
		return replay, protocol, err
	}
	secured, err := secure(c.work, replay, c.tls, DefaultFirstByteTimeout)
	if err != nil {
		if c.http == nil && asksForHTTP(err) {
			err = fmt.Errorf("%w: %w", err, errNoHTTP)
		}
		return replay, nil, err
	}
	if agreed := secured.ConnectionState().NegotiatedProtocol; c.http != nil && (agreed == alpnHTTP2 || agreed == alpnHTTP1) {
		return newReplayConn(g, secured, nil), c.http.protocol(), nil
	}
	first, protocol, err = c.sniff(secured)
	return newReplayConn(g, secured, first), protocol, err
}

// serveProtocol serves a connection of a foreign format. It returns why the
// connection is broken; nil: it is not, or the server ends it.
func (c *connSet) serveProtocol(g *guest, p *Protocol, conn *replayConn) error {
	c.mu.Lock()
	g.foreign, g.protocol = true, p.Name
	c.mu.Unlock()
	conn.watched = c.http == nil || p.Name != protocolHTTP
	stop := context.AfterFunc(c.ctx, func() { conn.Close() }) // it ends Serve
	defer stop()
	err := p.Serve(c.work, conn, c.server)
	if err == nil || c.work.Err() != nil || g.use.isOver() {
		return nil
	}
	c.server.log.Warn("connection closed", "protocol", p.Name, "address", conn.RemoteAddr().String(), "error", err)
	return err
}

// Why a connection is refused.
var (
	errUnknownProtocol = errors.New("the first bytes belong to no protocol that is served here")
	errUnfinished      = errors.New("it holds the oldest of too many unfinished requests")
	errClearText       = errors.New("it speaks clear text, and the server only TLS (ServerOptions.AllowPlaintext lets both in)")
	errNoTLS           = errors.New("it speaks TLS, and the server does not (ServerOptions.TLS is not set)")
)

// sniff reads until the protocol is clear; nil is Rollcall's own, or TLS where the
// first byte says so.
func (c *connSet) sniff(conn net.Conn) (first []byte, protocol *Protocol, err error) {
	conn.SetReadDeadline(time.Now().Add(DefaultFirstByteTimeout)) //nolint:errcheck // a dead connection fails the read
	defer conn.SetReadDeadline(time.Time{})                       //nolint:errcheck // likewise
	stop := context.AfterFunc(c.work, func() {
		conn.SetReadDeadline(time.Unix(1, 0)) //nolint:errcheck // it ends the read
	})
	defer stop()
	buf := make([]byte, 0, maxSniffBytes)
	for {
		n, err := conn.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if n > 0 {
			p, verdict := c.match(buf)
			if verdict == MatchYes {
				return buf, p, nil
			}
			if verdict == MatchNo || len(buf) == cap(buf) {
				return c.lastResort(buf)
			}
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return buf, nil, err
		}
		if err != nil {
			return buf, nil, io.EOF
		}
	}
}

// lastResort is for first bytes that are no protocol's but perhaps HTTP.
func (c *connSet) lastResort(first []byte) ([]byte, *Protocol, error) {
	switch {
	case matchHTTP(first) != MatchYes:
		return first, nil, errUnknownProtocol
	case c.http == nil:
		return first, nil, errNoHTTP
	}
	return first, c.http.protocol(), nil
}

// match asks the foreign protocols before HTTP: while one of them may want the
// connection, HTTP does not get it.
func (c *connSet) match(first []byte) (*Protocol, Verdict) {
	if first[0] == frame.FirstByte || (first[0] == firstByteTLS && c.tls != nil) {
		return nil, MatchYes
	}
	verdict := MatchNo
	for i := range c.server.opts.Protocols {
		p := &c.server.opts.Protocols[i]
		switch p.Match(first) {
		case MatchYes:
			return p, MatchYes
		case MatchMaybe:
			verdict = MatchMaybe
		case MatchNo:
		}
	}
	if verdict == MatchNo && c.http != nil {
		if verdict = matchHTTP(first); verdict == MatchYes {
			return c.http.protocol(), MatchYes
		}
	}
	return nil, verdict
}

// serveRollcall serves a connection of Rollcall's own protocol; it returns what
// serveProtocol does.
func (c *connSet) serveRollcall(g *guest, replay *replayConn, peer *Peer) error {
	conn := g.conn
	opts := &c.server.opts
	var sc *transport.ServerConn
	handler := func(_ context.Context, req *transport.ServerRequest) (transport.Reply, error) {
		return c.server.dispatch(req, sc, peer)
	}
	var onRefused func(transport.Refusal)
	if opts.Events.CallBegin != nil || opts.Events.CallEnd != nil {
		onRefused = func(r transport.Refusal) { c.server.tellRefused(c.ctx, &r, peer) }
	}
	// Without replay in between, for a bare socket has ways of its own to be read and written.
	sc = transport.NewServerConn(replay.Conn, transport.ServerOptions{
		First:            replay.first,
		InstanceID:       c.instanceID,
		Handler:          handler,
		Admit:            c.server.letIn,
		NewCall:          newCall,
		Unfinished:       c.unfinished,
		OnUnfinished:     c.tellGreedy,
		OnRefused:        onRefused,
		Workers:          c.workers,
		MaxMessageBytes:  opts.MaxMessageBytes,
		MaxMetadataBytes: opts.MaxMetadataBytes,
		MaxStreams:       opts.MaxStreams,
		Log:              c.server.log,
	})
	c.mu.Lock()
	g.rollcall, g.idle = sc, time.Now()
	draining, refusing := c.draining, c.refusing
	c.mu.Unlock()
	if draining {
		sc.GoAway(frame.GoAwayDraining, drainText)
	}
	if refusing {
		c.refuseOn(sc)
	}
	err := sc.Serve(c.ctx)
	switch {
	case err == nil || c.ctx.Err() != nil || errors.Is(err, transport.ErrClosed):
		return nil //nolint:nilerr // it ended in order
	case errors.Is(err, transport.ErrProtocol):
		c.server.log.Warn("connection closed: the client broke the protocol", "address", conn.RemoteAddr().String(), "error", err)
	default:
		opts.Logger.Debug("connection ended", "address", conn.RemoteAddr().String(), "error", err)
	}
	return err
}

const drainText = "the server leaves its service"

// goAway tells every client, and those to come, to go elsewhere.
func (c *connSet) goAway() {
	c.mu.Lock()
	c.draining = true
	conns := c.rollcallConns()
	c.mu.Unlock()
	for _, sc := range conns {
		sc.GoAway(frame.GoAwayDraining, drainText)
	}
}

// refuse answers new calls with Unavailable, closes Rollcall's connections when
// nothing is in flight on them, and tells Protocols to stop. It returns how many
// connections are open.
func (c *connSet) refuse() (open int) {
	c.mu.Lock()
	c.refusing = true
	conns, open := c.rollcallConns(), len(c.places.guests)
	c.mu.Unlock()
	for _, sc := range conns {
		c.refuseOn(sc)
	}
	c.finish()
	c.waiters.Go(c.shedStalled)
	c.server.invoked.refuse()
	if c.http != nil {
		c.waiters.Go(func() { c.http.drain(c.ctx) })
	}
	return open
}

// refuseOn refuses new calls on a connection, and closes it when nothing is in
// flight.
func (c *connSet) refuseOn(sc *transport.ServerConn) {
	sc.Refuse()
	c.waiters.Go(func() {
		select {
		case <-sc.Drained():
			sc.Close() // its end is what is wanted
		case <-c.ctx.Done():
		}
	})
}

// rollcallConns lists Rollcall's own connections. c.mu is held.
func (c *connSet) rollcallConns() []*transport.ServerConn {
	var list []*transport.ServerConn
	for g := range c.places.guests {
		if g.rollcall != nil {
			list = append(list, g.rollcall)
		}
	}
	return list
}

// drained returns what is closed when nothing is in flight any more: Rollcall's
// connections are then closed, and Protocols have returned. Call it once, after
// stopAccepting and refuse.
func (c *connSet) drained() <-chan struct{} {
	done := make(chan struct{})
	c.waiters.Go(func() {
		c.wg.Wait()
		c.server.invoked.running.Wait()
		close(done)
	})
	return done
}

// close ends every connection and returns when their goroutines, and those of the
// handlers, have ended.
func (c *connSet) close() {
	c.server.end(ErrServerClosed)
	c.stopAccepting()
	c.mu.Lock()
	for g := range c.places.guests {
		if g.rollcall == nil {
			g.conn.SetReadDeadline(time.Unix(1, 0)) //nolint:errcheck // it ends a sniff
		}
	}
	conns := c.rollcallConns()
	c.mu.Unlock()
	if c.http != nil {
		c.http.close()
	}
	var closers sync.WaitGroup
	for _, sc := range conns {
		closers.Go(func() { sc.Close() }) // its end is what is wanted
	}
	closers.Wait()
	c.wg.Wait()
	c.waiters.Wait()
	c.workers.Close()
	if c.http != nil {
		c.http.wait()
	}
}

// running names what of the user's has not ended: methods, with the number of their
// calls, HTTP, and foreign formats.
func (c *connSet) running() []string {
	counts := map[string]int64{}
	for _, h := range *c.server.methods.Load() {
		counts[h.name] = h.gate.limiter.InHand()
	}
	if c.http != nil {
		counts["HTTP"] = int64(c.http.requests.inFlight())
	}
	c.mu.Lock()
	for g := range c.places.guests {
		if g.foreign {
			counts["the protocol "+g.protocol]++
		}
	}
	c.mu.Unlock()
	var list []string
	for name, n := range counts {
		if n > 0 {
			list = append(list, fmt.Sprintf("%s (%d)", name, n))
		}
	}
	if len(list) == 0 {
		return []string{"what serves the connections"}
	}
	slices.Sort(list)
	return list
}

// inFlight counts the calls in flight, in whatever format they came, and the open
// connections.
func (c *connSet) inFlight() (calls, open int) {
	c.mu.Lock()
	conns, open := c.rollcallConns(), len(c.places.guests)
	c.mu.Unlock()
	calls = c.server.invoked.inFlight()
	for _, sc := range conns {
		calls += sc.InFlight()
	}
	return calls, open
}

// A replayConn is a connection whose first bytes have been read already.
type replayConn struct {
	net.Conn
	guest   *guest
	watched bool // what is read and written counts as use
	first   []byte
	once    sync.Once
	closed  chan struct{} // closed by Close
}

func newReplayConn(g *guest, conn net.Conn, first []byte) *replayConn {
	return &replayConn{guest: g, Conn: conn, first: first, closed: make(chan struct{})}
}

// Close implements [net.Conn].
func (r *replayConn) Close() error {
	defer r.once.Do(func() { close(r.closed) })
	return r.Conn.Close()
}

// socket returns the connection below TLS, and r where there is none.
func (r *replayConn) socket() *replayConn {
	if secured, ok := r.Conn.(*secureConn); ok {
		if below, ok := secured.records.Conn.(*replayConn); ok {
			return below
		}
	}
	return r
}

// NetConn returns the connection below, to be asked and not to be read or written.
func (r *replayConn) NetConn() net.Conn { return r.Conn }

// CloseWrite ends our direction of the connection, where that is possible alone.
func (r *replayConn) CloseWrite() error {
	half, ok := r.Conn.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	return half.CloseWrite()
}

// Read implements [net.Conn].
func (r *replayConn) Read(b []byte) (int, error) {
	if r.watched {
		defer r.guest.use.touch()
	}
	if len(r.first) == 0 {
		return r.Conn.Read(b)
	}
	n := copy(b, r.first)
	r.first = r.first[n:]
	return n, nil
}

// Write implements [net.Conn].
func (r *replayConn) Write(b []byte) (int, error) {
	if r.watched {
		defer r.guest.use.touch()
	}
	return r.Conn.Write(b)
}
