// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-rpc/rollcall/balancer"
	"github.com/rollcall-rpc/rollcall/frame"
	"github.com/rollcall-rpc/rollcall/internal/transport"
)

// A peer is a client's way to one instance: its connections.
type peer struct {
	client   *Client
	endpoint *balancer.Endpoint // the first of the instance; later ones have the same ID and address

	conn    atomic.Pointer[transport.ClientConn] // for the next call, where it accepts one
	retired atomic.Bool                          // nobody picks it any more; set under mu

	mu      sync.Mutex // guards what follows
	dialing *dialing   // nil: none under way
	conns   map[*transport.ClientConn]struct{}
	callers callerPool
}

// A dialing is one attempt to connect, shared by all who wait for it.
type dialing struct {
	done  chan struct{} // closed when conn or err is there
	conn  *transport.ClientConn
	phase string // where it failed
	err   error
}

// dialPatience is how long a call waits for a connection before it looks for an
// instance that it need not wait for.
const dialPatience = 100 * time.Millisecond

var (
	errRetired  = errors.New("the instance has left")
	errSlowDial = errors.New("no connection yet, and another instance has one")
)

func newPeer(c *Client, e *balancer.Endpoint) *peer {
	return &peer{client: c, endpoint: e, conns: make(map[*transport.ClientConn]struct{})}
}

func peerOf(e *balancer.Endpoint) *peer { return e.Owner.(*peer) }

// connected returns a connection that accepts calls now, or nil.
func (p *peer) connected() *transport.ClientConn {
	if conn := p.conn.Load(); conn != nil && conn.Accepts() {
		return conn
	}
	return nil
}

// connect returns the connection to the instance, after dialling where there is
// none. The dial goes on when it gives up, because ctx has ended or because
// elsewhere, asked now and then, knows a better way: others may wait for it.
func (p *peer) connect(ctx context.Context, elsewhere func() bool) (conn *transport.ClientConn, phase string, err error) {
	d, err := p.dialOnce()
	if err != nil {
		return nil, phaseDial, err
	}
	ticker := time.NewTicker(dialPatience)
	defer ticker.Stop()
	for {
		select {
		case <-d.done:
			return d.conn, d.phase, d.err
		case <-ctx.Done():
			return nil, phaseDial, context.Cause(ctx)
		case <-ticker.C:
			if elsewhere != nil && elsewhere() {
				return nil, phaseDial, errSlowDial
			}
		}
	}
}

// dialOnce returns the dial that is under way, or begins one. It has ended
// already where there is a connection.
func (p *peer) dialOnce() (*dialing, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if conn := p.connected(); conn != nil {
		d := &dialing{done: make(chan struct{}), conn: conn}
		close(d.done)
		return d, nil
	}
	if p.dialing == nil {
		d := &dialing{done: make(chan struct{})}
		if p.retired.Load() || !p.client.spawn(func() { p.dial(d) }) {
			return nil, errRetired
		}
		p.dialing = d
	}
	return p.dialing, nil
}

// dialTCP opens a connection within the client's ConnectTimeout.
func (p *peer) dialTCP() (net.Conn, error) {
	ctx, cancel := context.WithTimeout(p.client.ctx, p.client.opts.ConnectTimeout)
	defer cancel()
	return p.client.opts.Dial(ctx, "tcp", p.endpoint.Instance.Addr())
}

// open connects and waits for the instance's preface, each within the client's
// ConnectTimeout: the kernel of a hung server accepts connections as well. No
// request is sent before the preface has come, so all that fails until then
// surely executes nothing.
func (p *peer) open() (conn *transport.ClientConn, phase string, err error) {
	nc, err := p.dialTCP()
	if err != nil {
		return nil, phaseDial, err
	}
	conn = transport.NewClientConn(nc, transport.ClientOptions{
		InstanceID:        p.endpoint.Instance.ID,
		KeepaliveInterval: p.client.opts.KeepaliveInterval,
		KeepaliveMisses:   p.client.opts.KeepaliveMisses,
		HandshakeTimeout:  p.client.opts.ConnectTimeout,
		MaxMessageBytes:   p.client.opts.MaxMessageBytes,
		MaxMetadataBytes:  p.client.opts.MaxMetadataBytes,
		OnSilent:          p.silent,
		OnGoAway:          p.onGoAway,
		Logger:            p.client.opts.Logger,
	})
	if err := conn.Handshake(p.client.ctx); err != nil {
		conn.Close() //nolint:errcheck // it is not wanted
		if errors.Is(err, transport.ErrWrongInstance) {
			p.client.opts.Logger.Warn("another server answers at the instance's address",
				"address", p.endpoint.Instance.Addr(), "instance_id", p.endpoint.Instance.ID)
		}
		return nil, phaseHandshake, err
	}
	return conn, "", nil
}

// dial connects, tells who waits, and stays with the connection until its end.
func (p *peer) dial(d *dialing) {
	d.conn, d.phase, d.err = p.open()
	p.mu.Lock()
	p.dialing = nil
	unwanted := p.retired.Load()
	if d.conn != nil {
		p.conn.Store(d.conn)
		p.conns[d.conn] = struct{}{}
	}
	p.mu.Unlock()
	if d.err == nil {
		p.client.update(func(now time.Time) { p.client.roster.Recovered(now, p.endpoint) })
	} else {
		p.failed(true)
	}
	close(d.done)
	if d.conn == nil {
		return
	}
	if unwanted {
		d.conn.CloseIdle()
	}
	p.watch(d.conn)
}

// watch waits for the end of a connection, which is that of the client at the
// latest, and draws the conclusions.
func (p *peer) watch(conn *transport.ClientConn) {
	select {
	case <-conn.Done():
	case <-p.client.ctx.Done():
		conn.Close() //nolint:errcheck // its end is what is wanted
	}
	switch err := conn.Err(); {
	case errors.Is(err, transport.ErrClosed):
	case conn.Draining():
		p.silent(false)
		p.left()
	default:
		p.failed(false)
	}
	p.mu.Lock()
	delete(p.conns, conn)
	p.mu.Unlock()
	conn.Close() //nolint:errcheck // it waits for the connection's goroutines
}

// failed tells the roster that the instance refused a connection (dialed) or
// that an established one died.
func (p *peer) failed(dialed bool) {
	if p.client.ctx.Err() == nil {
		p.client.update(func(now time.Time) { p.client.roster.Failed(now, p.endpoint, dialed) })
	}
}

// silent tells the roster that a connection shows no life, or shows it again.
func (p *peer) silent(silent bool) {
	p.client.update(func(now time.Time) { p.client.roster.Silent(now, p.endpoint, silent) })
}

// left tells the roster that the instance, which drains, takes no more calls.
func (p *peer) left() {
	p.client.update(func(now time.Time) { p.client.roster.Left(now, p.endpoint) })
}

func (p *peer) onGoAway(g frame.GoAway) {
	if g.Reason == frame.GoAwayDraining {
		p.client.update(func(now time.Time) {
			p.client.roster.Draining(now, p.endpoint.Instance.ID, p.endpoint)
		})
	}
}

// ready connects and waits until the instance has answered.
func (p *peer) ready(ctx context.Context, e *balancer.Endpoint) error {
	if d := p.client.dialect(&e.Instance); d != nil {
		return p.readyDialect(ctx, d)
	}
	conn, _, err := p.connect(ctx, nil)
	if err != nil {
		return err
	}
	_, err = conn.Ping(ctx) // one that stands may be dead
	return err
}

// probe tries whether an instance that was set aside is back.
func (p *peer) probe(e *balancer.Endpoint) {
	// Time for the dial and the preface, which have limits of their own, and as
	// much again for the answer.
	ctx, cancel := context.WithTimeout(p.client.ctx, 3*p.client.opts.ConnectTimeout)
	defer cancel()
	err := p.ready(ctx, e)
	if p.client.ctx.Err() != nil {
		return
	}
	p.client.update(func(now time.Time) {
		if err == nil {
			p.client.roster.Recovered(now, p.endpoint)
		} else {
			p.client.roster.Failed(now, p.endpoint, true)
		}
	})
}

// call makes one attempt of a call. phase is where it ended; it means something
// only with an error. Where the connection is not there yet, or full, elsewhere
// says whether it is worth waiting for.
func (p *peer) call(ctx context.Context, e *balancer.Endpoint, req *transport.Request, elsewhere func() bool) (reply transport.Reply, phase string, err error) {
	if d := p.client.dialect(&e.Instance); d != nil {
		return p.callDialect(ctx, d, req)
	}
	conn := p.connected()
	if conn == nil {
		if conn, phase, err = p.connect(ctx, elsewhere); err != nil {
			return reply, phase, &transport.CallError{Executed: ExecutedNo, Phase: transport.PhaseQueue, Err: err}
		}
	}
	for {
		reply, err = conn.Call(ctx, req)
		if err == nil || !errors.Is(err, transport.ErrTooManyStreams) || (elsewhere != nil && elsewhere()) {
			break
		}
		// Nobody else has room either: one of the calls will end.
		if err := conn.AwaitStream(ctx); err != nil {
			return reply, transport.PhaseQueue.String(), &transport.CallError{Executed: ExecutedNo, Phase: transport.PhaseQueue, Err: err}
		}
	}
	if p.retired.Load() {
		p.closeIdle()
	}
	if err != nil {
		phase = phaseReply
		var failed *transport.CallError
		var remote *transport.RemoteError
		switch {
		case errors.As(err, &failed):
			phase = failed.Phase.String()
		case errors.As(err, &remote) && remote.Reason == ReasonDraining && remote.Executed == ExecutedNo:
			p.left()
		}
	}
	return reply, phase, err
}

// retire lets go of the instance: connections are closed once no call is on
// them.
func (p *peer) retire() {
	p.mu.Lock()
	p.retired.Store(true)
	p.mu.Unlock()
	p.closeIdle()
}

func (p *peer) closeIdle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.callers.closeIdle()
	for conn := range p.conns {
		if conn.InFlight() == 0 {
			p.client.spawn(conn.CloseIdle)
		}
	}
}
