// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/frame"
	"github.com/rollcall-rpc/rollcall/internal/loglimit"
	"github.com/rollcall-rpc/rollcall/internal/transport"
)

// A connector knows what a client speaks, and opens its connections.
type connector struct {
	tls             *tls.Config // nil: clear text
	allowPlaintext  bool        // where the entry does not say TLS
	dial            func(ctx context.Context, network, address string) (net.Conn, error)
	timeout         time.Duration // of a dial, and of the handshake after it
	dialects        []Dialect
	defaultProtocol string // of instances that list none; empty: they are not called
	transport       transport.ClientOptions
	log             *loglimit.Limiter // for what instances and the user's functions can cause
	room            sync.Mutex        // held by who closes a connection for want of descriptors
}

func newConnector(o *ClientOptions, log *loglimit.Limiter) *connector {
	dialects := make([]Dialect, len(o.Dialects))
	for i, d := range o.Dialects {
		dialects[i] = d.withDefaults()
	}
	return &connector{
		tls: newClientTLS(o.TLS), allowPlaintext: o.AllowPlaintext, dial: o.Dial, timeout: o.ConnectTimeout, log: log,
		dialects: dialects, defaultProtocol: o.DefaultProtocol,
		transport: transport.ClientOptions{
			KeepaliveInterval: o.KeepaliveInterval,
			KeepaliveMisses:   o.KeepaliveMisses,
			HandshakeTimeout:  lateFactor * o.ConnectTimeout,
			MaxMessageBytes:   o.MaxMessageBytes,
			MaxMetadataBytes:  o.MaxMetadataBytes,
			Log:               log,
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

// lateFactor is how many times the ConnectTimeout a handshake goes on that nobody waits
// for any more. To begin it anew would be as much work again for a server that has more
// of them than it can do at once.
const lateFactor = 10

// open dials an instance, and makes TLS of the connection where that is spoken.
func (c *connector) open(ctx context.Context, in *discovery.Instance) (net.Conn, Phase, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	conn, err := c.dialInstance(ctx, in)
	if err != nil {
		return nil, PhaseDial, err
	}
	return c.secure(ctx, in, conn)
}

// dialInstance opens a connection to an instance.
func (c *connector) dialInstance(ctx context.Context, in *discovery.Instance) (net.Conn, error) {
	conn, err := contained(c.log, "ClientOptions.Dial", func() (net.Conn, error) { return c.dial(ctx, "tcp", in.Addr()) })
	if err == nil && conn == nil {
		err = errors.New("rollcall: ClientOptions.Dial returned neither a connection nor an error: return one of them")
	}
	if err != nil {
		if err = asOwnError(ctx, err); isOwnError(err) != nil {
			c.log.Warn("a connection cannot be opened, which is no fault of the instance", "address", in.Addr(), "error", err)
		}
		return nil, err
	}
	return conn, nil
}

// secure makes TLS of a connection where that is spoken. It closes conn where that
// fails.
func (c *connector) secure(ctx context.Context, in *discovery.Instance, conn net.Conn) (net.Conn, Phase, error) {
	if !c.secures(in) {
		return conn, 0, nil
	}
	secured := secureWith(tls.Client, conn, configFor(c.tls, in.Host))
	_, err := contained(c.log, "ClientOptions.TLS", func() (struct{}, error) { return struct{}{}, secured.HandshakeContext(ctx) })
	if err != nil {
		conn.Close()
		return nil, PhaseHandshake, fmt.Errorf("TLS: %w", err)
	}
	return secured, 0, nil
}

// secures reports whether TLS is spoken to an instance.
func (c *connector) secures(in *discovery.Instance) bool {
	return c.tls != nil && (in.TLS || !c.allowPlaintext)
}

// connect dials, within the client's ConnectTimeout, and waits for the instance's
// preface. Where that does not come within another ConnectTimeout, late is told so: the
// kernel of a hung server accepts connections as well. The wait then goes on, for a
// server that has much to do may be about to answer. No request is sent before the
// preface has come, so all that fails until then surely executes nothing.
func (c *connector) connect(ctx context.Context, in *discovery.Instance, line *transport.Line, onSilent func(bool), onGoAway func(frame.GoAway), late func(error)) (*transport.ClientConn, Phase, error) {
	dialCtx, cancel := context.WithTimeout(ctx, c.timeout)
	nc, err := c.dialInstance(dialCtx, in)
	cancel()
	if err != nil {
		return nil, PhaseDial, err
	}
	timer := time.AfterFunc(c.timeout, func() { late(transport.ErrHandshakeTimeout) })
	defer timer.Stop()
	ctx, cancel = context.WithTimeout(ctx, lateFactor*c.timeout)
	defer cancel()
	nc, phase, err := c.secure(ctx, in, nc)
	if err != nil {
		return nil, phase, err
	}
	opts := c.transport
	opts.InstanceID, opts.Line, opts.OnSilent, opts.OnGoAway = in.ID, line, onSilent, onGoAway
	conn := transport.NewClientConn(nc, opts)
	if err := conn.Handshake(ctx); err != nil {
		conn.Close()
		if errors.Is(err, transport.ErrWrongInstance) {
			c.log.Warn("another server answers at the instance's address", "address", in.Addr(), "instance_id", in.ID)
		}
		if in.TLS && c.tls == nil {
			err = fmt.Errorf("%w (the entry says that the instance serves TLS, and ClientOptions.TLS is not set)", err)
		}
		return nil, PhaseHandshake, err
	}
	return conn, 0, nil
}

// caller dials and lets a dialect speak on the connection, each within the
// client's ConnectTimeout.
func (c *connector) caller(ctx context.Context, in *discovery.Instance, d *Dialect) (*callerConn, error) {
	nc, _, err := c.open(ctx, in)
	if err != nil {
		return nil, err
	}
	conn := watch(nc)
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	caller, err := contained(c.log, "Dialect.Dial", func() (Caller, error) { return d.Dial(ctx, *in, conn) })
	if err == nil && caller == nil {
		err = fmt.Errorf("rollcall: Dial of the dialect %q returned neither a Caller nor an error: return one of them", d.Protocol)
	}
	if !stop() && err == nil {
		closeCaller(c.log, caller)
		err = context.Cause(ctx)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return &callerConn{caller: caller, conn: conn}, nil
}
