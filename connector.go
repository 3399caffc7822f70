// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"time"

	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/frame"
	"github.com/rollcall-rpc/rollcall/internal/transport"
)

// A connector knows what a client speaks, and opens its connections.
type connector struct {
	dial            func(ctx context.Context, network, address string) (net.Conn, error)
	timeout         time.Duration // of a dial, and of the handshake after it
	dialects        []Dialect
	defaultProtocol string // of instances that list none; empty: they are not called
	transport       transport.ClientOptions
	logger          *slog.Logger
}

func newConnector(o *ClientOptions) *connector {
	return &connector{
		dial: o.Dial, timeout: o.ConnectTimeout, logger: o.Logger,
		dialects: o.Dialects, defaultProtocol: o.DefaultProtocol,
		transport: transport.ClientOptions{
			KeepaliveInterval: o.KeepaliveInterval,
			KeepaliveMisses:   o.KeepaliveMisses,
			HandshakeTimeout:  o.ConnectTimeout,
			MaxMessageBytes:   o.MaxMessageBytes,
			MaxMetadataBytes:  o.MaxMetadataBytes,
			Logger:            o.Logger,
		},
	}
}

// protocol returns what to speak to an instance: Rollcall's own where it can,
// else the first dialect that it lists; "" where there is none.
func (c *connector) protocol(in *discovery.Instance) string {
	if len(in.Protocols) == 0 {
		return c.defaultProtocol
	}
	if in.Speaks(ProtocolName) {
		return ProtocolName
	}
	for _, d := range c.dialects {
		if in.Speaks(d.Protocol) {
			return d.Protocol
		}
	}
	return ""
}

// dialect returns the foreign format to speak to an instance; nil: Rollcall's
// own protocol.
func (c *connector) dialect(in *discovery.Instance) *Dialect {
	if len(c.dialects) == 0 {
		return nil
	}
	name := c.protocol(in)
	for i := range c.dialects {
		if c.dialects[i].Protocol == name {
			return &c.dialects[i]
		}
	}
	return nil
}

// open dials an instance.
func (c *connector) open(ctx context.Context, in *discovery.Instance) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	return c.dial(ctx, "tcp", in.Addr())
}

// connect dials and waits for the instance's preface, each within the client's
// ConnectTimeout: the kernel of a hung server accepts connections as well. No
// request is sent before the preface has come, so all that fails until then
// surely executes nothing.
func (c *connector) connect(ctx context.Context, in *discovery.Instance, onSilent func(bool), onGoAway func(frame.GoAway)) (*transport.ClientConn, Phase, error) {
	nc, err := c.open(ctx, in)
	if err != nil {
		return nil, PhaseDial, err
	}
	opts := c.transport
	opts.InstanceID, opts.OnSilent, opts.OnGoAway = in.ID, onSilent, onGoAway
	conn := transport.NewClientConn(nc, opts)
	if err := conn.Handshake(ctx); err != nil {
		conn.Close() //nolint:errcheck // it is not wanted
		if errors.Is(err, transport.ErrWrongInstance) {
			c.logger.Warn("another server answers at the instance's address", "address", in.Addr(), "instance_id", in.ID)
		}
		return nil, PhaseHandshake, err
	}
	return conn, 0, nil
}

// caller dials and lets a dialect speak on the connection, each within the
// client's ConnectTimeout.
func (c *connector) caller(ctx context.Context, in *discovery.Instance, d *Dialect) (Caller, error) {
	conn, err := c.open(ctx, in)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { conn.Close() }) //nolint:errcheck // it ends Dial
	caller, err := d.Dial(ctx, *in, conn)
	if !stop() && err == nil {
		caller.Close() //nolint:errcheck // it came too late
		err = context.Cause(ctx)
	}
	if err != nil {
		conn.Close() //nolint:errcheck // it is not wanted
		return nil, err
	}
	return caller, nil
}
