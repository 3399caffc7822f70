// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rollcall-rpc/rollcall/balancer"
	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/discovery/zookeeper"
	"github.com/rollcall-rpc/rollcall/internal/loglimit"
	"github.com/rollcall-rpc/rollcall/members"
)

// A Client calls the instances of one service. Its methods may be called from
// any goroutine. Make one per service and keep it.
type Client struct {
	opts      ClientOptions
	session   *zookeeper.Session // nil without ZooKeeper
	connector *connector
	service   service
	defaults  callDefaults
	chain     Handler           // the interceptors around a call; nil: there are none
	log       *loglimit.Limiter // for lines that instances and the user's functions can cause
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
	c.log = loglimit.New(c.opts.Logger, nil)
	c.opts.Events = containedEvents(c.log, &c.opts.Events)
	c.connector = newConnector(&c.opts, c.log)
	told := listLog{logger: c.opts.Logger, target: target}
	c.service = service{target: target, budget: newRetryBudget(time.Now()), group: newGroup(), events: &c.opts.Events}
	c.service.members = members.New(members.Options{
		Resolver:  resolver,
		Balancing: c.opts.Balancing,
		Supported: func(in *discovery.Instance) bool { return c.connector.protocol(in) != "" },
		Attach: func(e *balancer.Endpoint) members.Peer {
			return newPeer(e, c.connector, c.service.members, c.service.group)
		},
		OnUpdate: tee(told.update, c.opts.Events.listUpdate()),
		OnChange: c.opts.Events.onChange(),
	})
	c.defaults = newCallDefaults(&c.opts)
	c.chain = chain(c.opts.Interceptors, invokeChained)
	c.service.group.spawn(func() { c.service.members.Run(c.service.group.ctx) })
	return c, nil
}

// openResolver checks the options and finds who knows the instances.
func (c *Client) openResolver(target string) (discovery.Resolver, error) {
	if c.opts.Resolver != nil {
		return c.opts.Resolver, c.opts.check(false)
	}
	t, err := discovery.ParseTarget(target)
	if err != nil {
		return nil, fmt.Errorf("rollcall: %w", err)
	}
	if err := c.opts.check(t.Scheme == discovery.SchemeZooKeeper); err != nil {
		return nil, err
	}
	if t.Scheme == discovery.SchemeStatic {
		if c.opts.DefaultProtocol == "" {
			c.opts.DefaultProtocol = ProtocolName
		}
		return discovery.NewStatic(t.Hosts)
	}
	opts := c.opts.ZooKeeper
	if opts.Logger == nil {
		opts.Logger = c.opts.Logger
	}
	c.session, err = zookeeper.OpenTarget(t, opts)
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
			return fmt.Errorf("rollcall: %w: %v", context.Cause(ctx), &report)
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
