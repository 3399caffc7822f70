// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zookeeper

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-rpc/rollcall/zk"
)

// The defaults of [Options] that are not those of package zk.
const (
	DefaultResyncInterval    = 5 * time.Minute
	DefaultMinUpdateInterval = 50 * time.Millisecond
)

// Options of a [Session]. Every zero value is the default.
//
// Servers, Auths, SessionTimeout and ConnectTimeout decide which ZooKeeper
// session is shared. Logger, ResyncInterval, MinUpdateInterval and Rand are the
// ones of the handle that opened it, for what is shared; ACL and Logger are the
// handle's own for its registrations.
type Options struct {
	// SessionTimeout is asked of the registry, which may settle on another one.
	// Default 10 s.
	SessionTimeout time.Duration

	// ConnectTimeout is for the dial and the handshake with one server; a watcher
	// is told after as long that there is no list yet. Default 1 s.
	ConnectTimeout time.Duration

	// Auths are sent on every connection before anything else.
	Auths []zk.Auth

	// Dial makes connections instead of net.Dialer. A session with a Dial of its
	// own is never shared, for functions cannot be compared.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// Logger is told of what an operator should know. Default: discard.
	Logger *slog.Logger

	// ResyncInterval is the mean time between full re-reads of a list and between
	// unprovoked checks of a registration; each is spread by a fifth around it.
	// Default 5 min, negative: never.
	ResyncInterval time.Duration

	// MinUpdateInterval is the shortest time between two updates of one list; the
	// first change after a pause is delivered at once. Default 50 ms, negative: 0.
	MinUpdateInterval time.Duration

	// ACL is given to the nodes that are created, the missing parents included. It
	// must let this session read: a registration looks after its node, and cannot
	// tell what became of one that it may not read. Default: world anyone; when
	// Auths are set, every permission to the creator and none to others.
	ACL []zk.ACL

	// Rand spreads pauses: uniform in [0, 1), called from any goroutine. Default
	// math/rand/v2.
	Rand func() float64
}

// withDefaults returns the options with every default in its place.
func (o Options) withDefaults() Options {
	if o.SessionTimeout == 0 {
		o.SessionTimeout = zk.DefaultSessionTimeout
	}
	if o.ConnectTimeout == 0 {
		o.ConnectTimeout = zk.DefaultConnectTimeout
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.ResyncInterval == 0 {
		o.ResyncInterval = DefaultResyncInterval
	}
	if o.MinUpdateInterval == 0 {
		o.MinUpdateInterval = DefaultMinUpdateInterval
	}
	o.MinUpdateInterval = max(o.MinUpdateInterval, 0)
	if o.ACL == nil {
		o.ACL = zk.WorldAnyone()
		if len(o.Auths) > 0 {
			o.ACL = zk.CreatorAll()
		}
	}
	if o.Rand == nil {
		o.Rand = rand.Float64
	}
	return o
}

// key returns what two handles must have in common to share a session. It holds
// the credentials, so it is never printed.
func (o *Options) key(servers []string) string {
	servers = slices.Sorted(slices.Values(servers))
	var b strings.Builder
	fmt.Fprintf(&b, "%q %d %d", slices.Compact(servers), o.SessionTimeout, o.ConnectTimeout)
	for _, auth := range o.Auths {
		fmt.Fprintf(&b, " %q %q", auth.Scheme, auth.Data)
	}
	return b.String()
}
