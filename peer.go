// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-rpc/rollcall/balancer"
	"github.com/rollcall-rpc/rollcall/frame"
	"github.com/rollcall-rpc/rollcall/internal/transport"
	"github.com/rollcall-rpc/rollcall/members"
)

// A peer is a client's way to one instance: its connections.
type peer struct {
	endpoint  *balancer.Endpoint // the first of the instance; later ones have the same ID and address
	connector *connector
	members   *members.Set // is told how the connections fare
	group     *group       // has the goroutines

	conn    atomic.Pointer[transport.ClientConn] // for the next call, where it accepts one
	retired atomic.Bool                          // nobody picks it any more; set under mu

	mu      sync.Mutex // guards what follows
	dialing *dialing   // nil: none under way
	conns   map[*transport.ClientConn]struct{}
	pools   map[*Dialect]*callerPool // nil: none yet

	line transport.Line // who waits where all connections are full
}

// A dialing is one attempt to connect, shared by all who wait for it.
type dialing struct {
	done  chan struct{} // closed when conn or err is there
	conn  *transport.ClientConn
	phase Phase // where it failed
	err   error

	told   bool // done is closed, or will be at once; guarded by peer.mu
	needed bool // by a call that has nobody else: room is made for it; guarded by peer.mu until done
}

// dialPatience is how long a call waits for a connection before it looks for an
// instance that it need not wait for.
const dialPatience = 100 * time.Millisecond

// askAfter is how long a connection may have rested for a call to go out on it as it
// is: after that it is asked first, for who sits in between, such as a NAT, forgets
// connections, and a request that is lost with one may not be sent again.
const askAfter = 30 * time.Second

// maxConns is how many connections to one instance there are at most: a second one
// where the first is full.
const maxConns = 2

var (
	errRetired  = errors.New("the instance has left")
	errSlowDial = errors.New("no connection yet, and another instance has one")
)

func newPeer(e *balancer.Endpoint, c *connector, m *members.Set, g *group) *peer {
	return &peer{endpoint: e, connector: c, members: m, group: g, conns: make(map[*transport.ClientConn]struct{})}
}

func peerOf(e *balancer.Endpoint) *peer { return e.Owner.(*peer) }

// connected returns a connection that accepts calls now, or nil.
func (p *peer) connected() *transport.ClientConn {
	if conn := p.conn.Load(); conn != nil && conn.Accepts() {
		return conn
	}
	return nil
}

// awake returns a connection that a call may go out on as it is, or nil.
func (p *peer) awake() *transport.ClientConn {
	if conn := p.connected(); conn != nil && conn.Rests() < askAfter {
		return conn
	}
	return nil
}

// atHand reports whether a call needs no dial, as far as can be told.
func (p *peer) atHand() bool {
	if p.connected() != nil {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, cp := range p.pools {
		if cp.atHand() {
			return true
		}
	}
	return false
}

// connect returns the connection to the instance, after dialling where there is
// none, or asking the one that has rested for long. The dial goes on when it gives up,
// because ctx has ended or because elsewhere, asked now and then, knows a better way:
// others may wait for it. Where there is no descriptor for it, and elsewhere knows no
// better way, another connection gives way; nil has none give way.
func (p *peer) connect(ctx context.Context, elsewhere func() bool) (conn *transport.ClientConn, phase Phase, err error) {
	d, err := p.dialOnce(false)
	if err != nil {
		return nil, PhaseDial, err
	}
	needed := elsewhere == nil
	ticker := time.NewTicker(dialPatience)
	defer ticker.Stop()
	for {
		select {
		case <-d.done:
			if needed || !wantsRoom(d.err) || elsewhere() {
				return d.conn, d.phase, d.err
			}
			needed = true
			if d, err = p.dialOnce(true); err != nil {
				return nil, PhaseDial, err
			}
		case <-ctx.Done():
			return nil, PhaseDial, context.Cause(ctx)
		case <-ticker.C:
			if elsewhere != nil && elsewhere() {
				return nil, PhaseDial, errSlowDial
			}
		}
	}
}

// dialOnce returns the dial that is under way, or begins one. It has ended
// already where there is a connection. needed: a connection gives way for it if it must.
func (p *peer) dialOnce(needed bool) (*dialing, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if conn := p.awake(); conn != nil {
		d := &dialing{done: make(chan struct{}), conn: conn}
		close(d.done)
		return d, nil
	}
	dial := p.dial
	if conn := p.connected(); conn != nil {
		dial = func(d *dialing) { p.ask(d, conn) }
	}
	d, err := p.begin(dial)
	if err == nil && needed {
		d.needed = true
	}
	return d, err
}

// begin returns the dial that is under way, or begins this one. mu is held.
func (p *peer) begin(dial func(*dialing)) (*dialing, error) {
	if p.dialing == nil {
		d := &dialing{done: make(chan struct{})}
		if p.retired.Load() || !p.group.spawn(func() { dial(d) }) {
			return nil, errRetired
		}
		p.dialing = d
	}
	return p.dialing, nil
}

// ask finds out whether a connection that has rested for long still leads anywhere,
// and dials where it does not. That says nothing of the instance.
func (p *peer) ask(d *dialing, conn *transport.ClientConn) {
	ctx, cancel := context.WithTimeout(p.group.ctx, p.connector.timeout)
	defer cancel()
	if _, err := conn.Ping(ctx); err != nil {
		conn.CloseIdle()
		p.dial(d)
		return
	}
	p.mu.Lock()
	p.dialing = nil
	p.mu.Unlock()
	d.conn = conn
	close(d.done)
}

// dial connects, tells who waits, and stays with the connection until its end.
func (p *peer) dial(d *dialing) {
	late := func(err error) { p.tellDialing(d, nil, PhaseHandshake, err, p.connected() == nil) }
	conn, phase, err := p.connector.connect(p.group.ctx, &p.endpoint.Instance, &p.line, p.silent, p.onGoAway, late)
	p.mu.Lock()
	if d.needed && wantsRoom(err) {
		p.mu.Unlock()
		if p.makeRoom() {
			conn, phase, err = p.connector.connect(p.group.ctx, &p.endpoint.Instance, &p.line, p.silent, p.onGoAway, late)
		}
		p.mu.Lock()
	}
	p.dialing = nil
	unwanted := p.retired.Load()
	before := p.connected()
	if conn != nil {
		p.conn.Store(conn)
		p.conns[conn] = struct{}{}
	}
	p.mu.Unlock()
	p.tellDialing(d, conn, phase, err, before == nil) // a second connection that fails is no evidence
	if err != nil {
		return
	}
	p.members.Recovered(p.endpoint)
	if unwanted {
		conn.CloseIdle()
	}
	p.watch(conn)
}

// tellDialing tells who waits for a dial what came of it; the first time counts. A
// failure is told to the members before, where it is evidence: who waits looks for
// another instance then, or tells its caller what is known, and that has it. A success
// need not wait for what they make of it.
func (p *peer) tellDialing(d *dialing, conn *transport.ClientConn, phase Phase, err error, evidence bool) {
	p.mu.Lock()
	first := !d.told
	if first {
		d.told, d.conn, d.phase, d.err = true, conn, phase, err
	}
	p.mu.Unlock()
	if err != nil && evidence {
		p.dialFailed(err)
	}
	if first {
		close(d.done)
	}
}

// watch waits for the end of a connection, which is that of the client at the
// latest, and draws the conclusions.
func (p *peer) watch(conn *transport.ClientConn) {
	select {
	case <-conn.Done():
	case <-p.group.ctx.Done():
		conn.Close()
	}
	switch err := conn.Err(); {
	case errors.Is(err, transport.ErrClosed), err == transport.ErrIdle: //nolint:errorlint // we have closed it; a GOAWAY may say the second too
	case conn.Idle() && !conn.Draining(): // it says nothing of the instance
	case conn.Draining():
		p.silent(false)
		p.members.Left(p.endpoint)
	case p.conn.Load() == conn: // else the instance has answered on a newer one
		p.failed(false)
	}
	p.mu.Lock()
	delete(p.conns, conn)
	others := p.accepting()
	if len(others) > 0 {
		p.conn.CompareAndSwap(conn, others[0]) // it serves as well as a new one
	} else {
		p.line.Dismiss(conn.Err())
	}
	p.mu.Unlock()
	conn.Close()
}

// failed tells that the instance refused a connection (dialed) or that an
// established one died. The client's own end is no evidence.
func (p *peer) failed(dialed bool) {
	if p.group.ctx.Err() == nil {
		p.members.Failed(p.endpoint, dialed)
	}
}

// dialFailed tells that a dial failed, unless that says nothing of the instance.
func (p *peer) dialFailed(err error) {
	if isOwnError(err) == nil {
		p.failed(true)
	}
}

func (p *peer) silent(silent bool) { p.members.Silent(p.endpoint, silent) }

func (p *peer) onGoAway(g frame.GoAway) {
	if g.Reason == frame.GoAwayDraining {
		p.members.Draining(p.endpoint)
	}
}

// ready connects and waits until the instance has answered.
func (p *peer) ready(ctx context.Context, e *balancer.Endpoint) error {
	if d := p.connector.dialect(&e.Instance); d != nil {
		return p.readyDialect(ctx, d)
	}
	conn, _, err := p.connect(ctx, nil)
	if err != nil {
		return err
	}
	_, err = conn.Ping(ctx) // one that stands may be dead
	return err
}

// Probe implements [members.Peer].
func (p *peer) Probe(ctx context.Context, e *balancer.Endpoint) error {
	// Time for the dial and the preface, which have limits of their own, and as
	// much again for the answer.
	ctx, cancel := context.WithTimeout(ctx, 3*p.connector.timeout)
	defer cancel()
	return p.ready(ctx, e)
}

// call makes one attempt of a call. phase is where it ended; it means something
// only with an error. Where the connection is not there yet, or full, elsewhere
// says whether it is worth waiting for; sent is then set to when it has the request.
func (p *peer) call(ctx context.Context, e *balancer.Endpoint, req *transport.Request, sent *time.Time, elsewhere func() bool) (reply transport.Reply, phase Phase, err error) {
	if d := p.connector.dialect(&e.Instance); d != nil {
		return p.callDialect(ctx, d, req, sent, elsewhere)
	}
	conn := p.awake()
	if conn == nil {
		if conn, phase, err = p.connect(ctx, elsewhere); err != nil {
			return reply, phase, &transport.CallError{Executed: ExecutedNo, Phase: transport.PhaseQueue, Err: err}
		}
		*sent = instant()
	}
	reply, err = conn.Call(ctx, req)
	if full(err) && (elsewhere == nil || !elsewhere()) {
		// Nobody else has room either: one of the calls will end, or there is room on
		// another connection.
		if conn, err = p.line.Wait(ctx, p.open); err != nil {
			return reply, PhaseQueue, &transport.CallError{Executed: ExecutedNo, Phase: transport.PhaseQueue, Err: err}
		}
		reply, err = conn.CallReserved(ctx, req)
	}
	if p.retired.Load() {
		p.closeIdle()
	}
	if err != nil {
		phase = PhaseReply
		var failed *transport.CallError
		var remote *transport.RemoteError
		switch {
		case errors.As(err, &failed):
			phase = callPhase(failed.Phase)
		case errors.As(err, &remote) && remote.Reason == ReasonDraining && remote.Executed == ExecutedNo:
			p.members.Left(p.endpoint)
		}
	}
	return reply, phase, err
}

// full reports whether a call was refused for want of room on its connection.
func full(err error) bool { return err != nil && errors.Is(err, transport.ErrTooManyStreams) }

// open returns the connections that take calls, none of which had room, and sees to
// it that there will be another one, as far as maxConns lets it.
func (p *peer) open() []*transport.ClientConn {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.accepting()
	if len(list) > 0 && len(list) < maxConns {
		p.begin(p.dial) //nolint:errcheck // those that there are do as well
	}
	return list
}

// accepting returns the connections that take calls. mu is held.
func (p *peer) accepting() []*transport.ClientConn {
	var list []*transport.ClientConn
	for c := range p.conns {
		if c.Accepts() {
			list = append(list, c)
		}
	}
	return list
}

// An idleConn is a connection that no call is on.
type idleConn struct {
	since time.Time
	close func() bool // false: it is not idle any more
}

// longestIdle returns the connection that has been idle for longest; its close is nil
// where none is.
func (p *peer) longestIdle() (longest idleConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for conn := range p.conns {
		if since, idle := conn.IdleSince(); idle && (longest.close == nil || since.Before(longest.since)) {
			longest = idleConn{since, conn.CloseIdle}
		}
	}
	for _, cp := range p.pools {
		if since, ok := cp.rests(); ok && (longest.close == nil || since.Before(longest.since)) {
			longest = idleConn{since, cp.closeLongest}
		}
	}
	return longest
}

// Retire implements [members.Peer].
func (p *peer) Retire() {
	p.mu.Lock()
	p.retired.Store(true)
	pools := slices.Collect(maps.Values(p.pools))
	p.mu.Unlock()
	for _, cp := range pools {
		cp.retire()
	}
	p.closeIdle()
}

func (p *peer) closeIdle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for conn := range p.conns {
		if conn.InFlight() == 0 {
			p.group.spawn(func() { conn.CloseIdle() })
		}
	}
}
