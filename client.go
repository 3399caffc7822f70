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
	"time"

	"github.com/rollcall-rpc/rollcall/balancer"
	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/discovery/zookeeper"
	"github.com/rollcall-rpc/rollcall/frame"
	"github.com/rollcall-rpc/rollcall/members"
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
	opts      ClientOptions
	session   *zookeeper.Session // nil without ZooKeeper
	connector *connector
	service   service
}

var errClientClosed = errors.New("rollcall: client closed")

// NewClient returns a client of the service at target, "zk://…" or "static://…".
// It does not wait for the registry: a call does, and [Client.Ready]. An error
// means that the target or an option is not valid.
func NewClient(target string, opts ClientOptions) (*Client, error) {
	c := &Client{opts: opts.withDefaults()}
	resolver, err := c.openResolver(target)
	if err != nil {
		return nil, err
	}
	c.connector = newConnector(&c.opts)
	told := listLog{logger: c.opts.Logger, target: target}
	c.service = service{target: target, budget: newRetryBudget(time.Now()), group: newGroup()}
	c.service.members = members.New(members.Options{
		Resolver: resolver,
		Balancing: balancer.Options{
			Policy:    c.opts.Balance,
			Supported: func(in *discovery.Instance) bool { return c.connector.protocol(in) != "" },
		},
		Attach: func(e *balancer.Endpoint) members.Peer {
			return newPeer(e, c.connector, c.service.members, c.service.group)
		},
		OnUpdate: told.update,
	})
	c.service.group.spawn(func() { c.service.members.Run(c.service.group.ctx) })
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
	problems = append(problems, checkNames("ClientOptions.Dialects", names...))
	if p := o.DefaultProtocol; p != "" && p != ProtocolName && !slices.Contains(names, p) {
		problems = append(problems, fmt.Errorf("rollcall: ClientOptions.DefaultProtocol %q: give %q or the Protocol of one of the Dialects", p, ProtocolName))
	}
	return errors.Join(problems...)
}

// openResolver checks the options and finds who knows the instances.
func (c *Client) openResolver(target string) (discovery.Resolver, error) {
	if err := c.opts.check(); err != nil {
		return nil, err
	}
	if c.opts.Resolver != nil {
		return c.opts.Resolver, nil
	}
	t, err := discovery.ParseTarget(target)
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

// Ready waits until the client is connected to an instance, and connects to one
// if it is not. It returns ctx's error, joined with what is known of the list.
func (c *Client) Ready(ctx context.Context) error {
	var tried []*balancer.Endpoint
	for {
		snap, changed := c.service.members.Current()
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
			report := c.service.report("Ready", snap, nil)
			return fmt.Errorf("rollcall: %w: %v", context.Cause(ctx), report)
		case <-c.service.group.ctx.Done():
			return errClientClosed
		}
		tried = tried[:0]
	}
}

// Snapshot returns what the client knows of the instances now.
func (c *Client) Snapshot() *balancer.Snapshot { return c.service.members.Snapshot() }

// Changed returns a channel that is closed when what [Client.Snapshot] returns
// changes. Take it before the snapshot, so that no change is missed.
func (c *Client) Changed() <-chan struct{} {
	_, changed := c.service.members.Current()
	return changed
}

// Close ends the client; calls in flight fail. It returns when nothing of the
// client is left.
func (c *Client) Close() error {
	c.service.group.close(errClientClosed)
	if c.session != nil {
		return c.session.Close()
	}
	return nil
}
