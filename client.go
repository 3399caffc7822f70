// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-rpc/rollcall/balancer"
	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/discovery/zookeeper"
	"github.com/rollcall-rpc/rollcall/frame"
	"github.com/rollcall-rpc/rollcall/zk"
)

// DefaultConnectTimeout bounds the dial of an instance, and the wait for its preface.
const DefaultConnectTimeout = time.Second

// ClientOptions say how a [Client] works. The zero value is the default.
type ClientOptions struct {
	// Balance chooses among the instances. Nil: balancer.P2C.
	Balance balancer.Policy

	// Resolver is asked for the instances instead of the target's registry
	// where it is not nil; the target is then only a name for errors.
	Resolver discovery.Resolver

	// Dialects are foreign formats that the client speaks to instances that do
	// not speak Rollcall's, best first.
	Dialects []Dialect

	// DefaultProtocol is assumed of instances that list no protocols: the name
	// of a Dialect, or ProtocolName. Empty: such instances are not called,
	// except those of a static target, which are taken for ProtocolName.
	DefaultProtocol string

	// Dial opens connections to instances. Nil: a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// ConnectTimeout bounds a dial, and after it the wait for the server's preface.
	// 0: 1 s.
	ConnectTimeout time.Duration

	// KeepaliveInterval is how long a connection with calls outstanding may be
	// silent before the instance is asked whether it is there. 0: 300 ms;
	// negative: off.
	KeepaliveInterval time.Duration
	KeepaliveMisses   int // silent intervals until the connection is given up, at least 2; 0: 3

	MaxMessageBytes  int // of one reply; 0: 4 MiB; at most 2 GiB - 1
	MaxMetadataBytes int // of one reply; 0: 16 KiB; at most 60 KiB

	// SessionTimeout of the ZooKeeper session. 0: 10 s.
	SessionTimeout time.Duration

	// Auths are the credentials for ZooKeeper.
	Auths []zk.Auth

	// Logger is told what an operator should know. Nil: nothing is logged.
	Logger *slog.Logger
}

func (o ClientOptions) withDefaults() ClientOptions {
	if o.Balance == nil {
		o.Balance = balancer.P2C
	}
	if o.Dial == nil {
		o.Dial = new(net.Dialer).DialContext
	}
	if o.ConnectTimeout == 0 {
		o.ConnectTimeout = DefaultConnectTimeout
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// A Client calls the instances of one service. Its methods may be called from
// any goroutine. Make one per service and keep it.
type Client struct {
	target  string
	opts    ClientOptions
	session *zookeeper.Session // nil without ZooKeeper

	snapshot atomic.Pointer[balancer.Snapshot] // what calls pick from
	budget   *retryBudget
	times    latencies // of hedged methods

	ctx    context.Context // ends with Close
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup // every goroutine of the client
	kick   chan struct{}  // capacity 1: the keeper should look at the roster

	mu       sync.Mutex // guards what follows
	roster   *balancer.Roster
	changed  chan struct{} // closed when snapshot changes
	detached []*peer       // dropped by the roster, to be retired outside the lock
	closed   bool
}

var errClientClosed = errors.New("rollcall: client closed")

// NewClient returns a client of the service at target, "zk://…" or "static://…".
// It does not wait for the registry: a call does, and [Client.Ready]. An error
// means that the target or an option is not valid.
func NewClient(target string, opts ClientOptions) (*Client, error) {
	c := &Client{
		target:  target,
		opts:    opts.withDefaults(),
		kick:    make(chan struct{}, 1),
		changed: make(chan struct{}),
		budget:  newRetryBudget(time.Now()),
	}
	resolver, err := c.openResolver()
	if err != nil {
		return nil, err
	}
	c.ctx, c.cancel = context.WithCancelCause(context.Background())
	c.roster = balancer.NewRoster(balancer.Options{
		Policy:    c.opts.Balance,
		Supported: func(in *discovery.Instance) bool { return c.protocol(in) != "" },
		Attach:    func(e *balancer.Endpoint) any { return newPeer(c, e) },
		Detach:    func(e *balancer.Endpoint) { c.detached = append(c.detached, peerOf(e)) },
	})
	c.snapshot.Store(c.roster.Snapshot())
	c.wg.Go(func() {
		told := listLog{logger: c.opts.Logger, target: target}
		resolver.Watch(c.ctx, func(u discovery.Update) { //nolint:errcheck // it ends with c.ctx
			told.update(&u)
			c.update(func(now time.Time) { c.roster.Update(now, u) })
		})
	})
	c.wg.Go(c.keep)
	return c, nil
}

// check returns what is wrong with the options, a problem each.
func (o *ClientOptions) check() error {
	problems := append(checkLimits(
		limit{"ClientOptions.KeepaliveMisses", o.KeepaliveMisses, 0},
		limit{"ClientOptions.MaxMessageBytes", o.MaxMessageBytes, frame.MaxMaxMessage},
		limit{"ClientOptions.MaxMetadataBytes", o.MaxMetadataBytes, frame.MaxMaxMetadata},
	),
		checkDuration("ClientOptions.ConnectTimeout", o.ConnectTimeout, "1 s"),
		checkDuration("ClientOptions.SessionTimeout", o.SessionTimeout, "10 s"),
	)
	names := make([]string, len(o.Dialects))
	for i, d := range o.Dialects {
		if names[i] = d.Protocol; d.Protocol == "" || d.Dial == nil {
			problems = append(problems, fmt.Errorf("rollcall: ClientOptions.Dialects: %q needs Protocol and Dial", d.Protocol))
		}
	}
	return errors.Join(append(problems, checkNames("ClientOptions.Dialects", names...))...)
}

// openResolver checks the options and finds who knows the instances.
func (c *Client) openResolver() (discovery.Resolver, error) {
	if err := c.opts.check(); err != nil {
		return nil, err
	}
	if p := c.opts.DefaultProtocol; p != "" && !c.speaks(p) {
		return nil, fmt.Errorf("rollcall: ClientOptions.DefaultProtocol %q: give %q or the Protocol of one of the Dialects", p, ProtocolName)
	}
	if c.opts.Resolver != nil {
		return c.opts.Resolver, nil
	}
	t, err := discovery.ParseTarget(c.target)
	if err != nil {
		return nil, fmt.Errorf("rollcall: %w", err)
	}
	if t.Scheme == discovery.SchemeStatic {
		if c.opts.DefaultProtocol == "" {
			c.opts.DefaultProtocol = ProtocolName
		}
		return discovery.NewStatic(t.Hosts)
	}
	c.session, err = zookeeper.Open(t.Hosts, zookeeper.Options{
		SessionTimeout: c.opts.SessionTimeout,
		Auths:          c.opts.Auths,
		Logger:         c.opts.Logger,
	})
	if err != nil {
		return nil, err
	}
	return c.session.Resolver(t.Path), nil
}

func (c *Client) speaks(protocol string) bool {
	return protocol == ProtocolName || slices.ContainsFunc(c.opts.Dialects, func(d Dialect) bool { return d.Protocol == protocol })
}

// protocol returns what to speak to an instance: Rollcall's own where it can,
// else the first dialect that it lists; "" where there is none.
func (c *Client) protocol(in *discovery.Instance) string {
	if len(in.Protocols) == 0 {
		return c.opts.DefaultProtocol
	}
	if in.Speaks(ProtocolName) {
		return ProtocolName
	}
	for _, d := range c.opts.Dialects {
		if in.Speaks(d.Protocol) {
			return d.Protocol
		}
	}
	return ""
}

// dialect returns the foreign format to speak to an instance; nil: Rollcall's
// own protocol.
func (c *Client) dialect(in *discovery.Instance) *Dialect {
	if len(c.opts.Dialects) == 0 {
		return nil
	}
	name := c.protocol(in)
	for i := range c.opts.Dialects {
		if c.opts.Dialects[i].Protocol == name {
			return &c.opts.Dialects[i]
		}
	}
	return nil
}

// update changes the roster and wakes the keeper, whose next appointment may be
// another one now.
func (c *Client) update(change func(now time.Time)) {
	c.apply(change)
	c.wake()
}

// wake has the keeper look at the roster.
func (c *Client) wake() {
	select {
	case c.kick <- struct{}{}:
	default:
	}
}

// apply changes the roster, publishes what came of it, and lets go of the peers
// that were dropped.
func (c *Client) apply(change func(now time.Time)) {
	c.mu.Lock()
	change(time.Now())
	if next := c.roster.Snapshot(); next != c.snapshot.Load() {
		c.snapshot.Store(next)
		close(c.changed)
		c.changed = make(chan struct{})
	}
	detached := c.detached
	c.detached = nil
	c.mu.Unlock()
	for _, p := range detached {
		p.retire()
	}
}

// current returns what to pick from, and what is closed when that changes.
func (c *Client) current() (*balancer.Snapshot, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.snapshot.Load(), c.changed
}

// keep is the client's clock: it lets time-driven changes of the roster happen
// and dials again who was set aside, until the client is closed.
func (c *Client) keep() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		if wait, ok := c.tick(); ok {
			timer.Reset(wait)
		} else {
			timer.Stop()
		}
		select {
		case <-timer.C:
		case <-c.kick:
		case <-c.ctx.Done():
			return
		}
	}
}

// tick does what is due and returns how long nothing more is.
func (c *Client) tick() (wait time.Duration, ok bool) {
	var probes []*balancer.Endpoint
	c.apply(func(now time.Time) {
		c.roster.Tick(now)
		probes = c.roster.Probes(now)
		var next time.Time
		next, ok = c.roster.Next(now)
		wait = max(next.Sub(now), 0)
	})
	for _, e := range probes {
		c.spawn(func() { peerOf(e).probe(e) })
	}
	return wait, ok
}

// Ready waits until the client is connected to an instance, and connects to one
// if it is not. It returns ctx's error, joined with what is known of the list.
func (c *Client) Ready(ctx context.Context) error {
	var tried []*balancer.Endpoint
	for {
		snap, changed := c.current()
		if e := snap.Picker.Pick(balancer.PickInfo{Tried: tried, Now: time.Now()}); e != nil {
			if err := peerOf(e).ready(ctx, e); err == nil {
				return nil
			}
			tried = append(tried, e)
			if ctx.Err() == nil {
				continue
			}
		}
		select {
		case <-changed:
		case <-another(snap):
		case <-ctx.Done():
			report := c.report("Ready", snap, nil)
			return fmt.Errorf("rollcall: %w: %v", context.Cause(ctx), report)
		case <-c.ctx.Done():
			return errClientClosed
		}
		tried = tried[:0]
	}
}

// Snapshot returns what the client knows of the instances now.
func (c *Client) Snapshot() *balancer.Snapshot { return c.snapshot.Load() }

// Changed returns a channel that is closed when what [Client.Snapshot] returns
// changes. Take it before the snapshot, so that no change is missed.
func (c *Client) Changed() <-chan struct{} {
	_, changed := c.current()
	return changed
}

// Close ends the client; calls in flight fail. It returns when nothing of the
// client is left.
func (c *Client) Close() error {
	var peers []*peer
	c.mu.Lock()
	c.closed = true
	c.cancel(errClientClosed)
	for _, e := range c.roster.Snapshot().Endpoints {
		peers = append(peers, peerOf(e.Endpoint))
	}
	c.mu.Unlock()
	for _, p := range peers {
		p.retire()
	}
	c.wg.Wait()
	if c.session != nil {
		return c.session.Close()
	}
	return nil
}

// spawn runs f on a goroutine that Close waits for; false: the client is closed.
func (c *Client) spawn(f func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.wg.Go(f)
	return true
}

// report tells what a call was based on.
func (c *Client) report(method string, snap *balancer.Snapshot, attempts []Attempt) *Report {
	age := time.Duration(-1)
	if snap.Source == discovery.SourceLive || snap.Source == discovery.SourceStatic {
		age = 0
	} else if !snap.Confirmed.IsZero() {
		age = time.Since(snap.Confirmed)
	}
	return &Report{
		Target: c.target, Method: method, Source: snap.Source, ListAge: age,
		SourceErr: snap.Err, Counts: snap.Counts, Panic: snap.Panic, Attempts: attempts,
	}
}
