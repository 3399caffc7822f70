// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zookeeper

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-rpc/rollcall/zk"
)

// The defaults of [Options] that are not those of package zk.
const (
	DefaultResync            = 5 * time.Minute
	DefaultMinUpdateInterval = 50 * time.Millisecond
)

// Options of a [Session]: what there is to say about ZooKeeper. Every zero value
// is the default.
//
// Handles share one ZooKeeper session where the servers and SessionTimeout,
// ConnectTimeout, Auths, Resync and MinUpdateInterval are equal and TLS is the
// same pointer. A Dial makes a session private, for functions cannot be compared.
// ACL and Logger are each handle's own for its registrations; Logger and Rand are
// those of the handle that came first for what is shared.
type Options struct {
	// SessionTimeout is asked of the registry, which may settle on another one: an
	// entry outlives its server by as long. Default 10 s, at least 1 ms.
	SessionTimeout time.Duration

	// ConnectTimeout is for the dial, TLS and the handshake with one server; a
	// watcher is told after as long that there is no list yet. Default 1 s, at
	// least 1 ms.
	ConnectTimeout time.Duration

	// Auths are the credentials: sent on every connection before anything else.
	// Default none.
	Auths []zk.Auth

	// ACL is given to the nodes that are created, the missing parents included. It
	// must let this session read: a registration looks after its node, and cannot
	// tell what became of one that it may not read. Default: world anyone; when
	// Auths are set, every permission to the creator and none to others.
	ACL []zk.ACL

	// TLS makes every connection to the registry one of TLS, with a certificate
	// where the servers want one. An empty ServerName stands for the host of the
	// server that is dialled. It must not be changed any more. Default: TLS with
	// the system's roots where the target is zks://…, else none.
	TLS *tls.Config

	// Dial makes connections, below TLS. Default: as zk.Options.Dial says.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// Logger is told of what an operator should know. Default: discard.
	Logger *slog.Logger

	// Resync is the mean time between full re-reads of a list and between
	// unprovoked checks of a registration; each is spread by a fifth around it.
	// Default 5 min, negative: never.
	Resync time.Duration

	// MinUpdateInterval is the shortest time between two updates of one list; the
	// first change after a pause is delivered at once. Default 50 ms, negative: 0.
	MinUpdateInterval time.Duration

	// Rand spreads pauses: uniform in [0, 1), called from any goroutine. Default
	// math/rand/v2.
	Rand func() float64
}

// Check returns what cannot be used, a problem each, joined by [errors.Join]; nil:
// nothing. A problem begins with the field as those who hold Options in a field
// ZooKeeper name it, "ZooKeeper.SessionTimeout is -1s: …", and tells what to give.
// [Open] checks too.
func (o *Options) Check() error {
	var problems []error
	bad := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf("ZooKeeper."+format, args...))
	}
	for _, f := range []struct {
		name       string
		value, def time.Duration
	}{
		{"SessionTimeout", o.SessionTimeout, zk.DefaultSessionTimeout},
		{"ConnectTimeout", o.ConnectTimeout, zk.DefaultConnectTimeout},
	} {
		const most = math.MaxInt32 * time.Millisecond // as many as the protocol can say
		if f.value != 0 && (f.value < time.Millisecond || f.value > most) {
			bad("%s is %v: give 1 ms to %v, or 0 for %v", f.name, f.value, most, f.def)
		}
	}
	for i, a := range o.Auths {
		if a.Scheme == "" {
			bad("Auths[%d].Scheme is empty: name a scheme, for example digest", i)
		}
	}
	readable := len(o.ACL) == 0
	for i, a := range o.ACL {
		if a.Scheme == "" {
			bad("ACL[%d].Scheme is empty: name a scheme, for example world", i)
		}
		if a.Perms <= 0 || a.Perms > zk.PermAll {
			bad("ACL[%d].Perms is %d: give the sum of zk.PermRead and others, at most zk.PermAll, %d", i, a.Perms, zk.PermAll)
		}
		readable = readable || a.Perms&zk.PermRead != 0
	}
	if !readable {
		bad("ACL lets nobody read: give zk.PermRead to this session, which looks after what it creates")
	}
	return errors.Join(problems...)
}

// withDefaults returns the options with every default in its place.
func (o Options) withDefaults() Options {
	o.SessionTimeout = cmp.Or(o.SessionTimeout, zk.DefaultSessionTimeout)
	o.ConnectTimeout = cmp.Or(o.ConnectTimeout, zk.DefaultConnectTimeout)
	o.Resync = cmp.Or(o.Resync, DefaultResync)
	o.MinUpdateInterval = max(cmp.Or(o.MinUpdateInterval, DefaultMinUpdateInterval), 0)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if len(o.ACL) == 0 {
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

// A sharingKey is what handles have in common that share a session. It holds the
// credentials, so it is never printed. The zero key is nobody's.
type sharingKey struct {
	text string
	tls  *tls.Config
}

// key returns the sharingKey of options that have their defaults.
func (o *Options) key(servers []string) sharingKey {
	servers = slices.Sorted(slices.Values(servers))
	var b strings.Builder
	fmt.Fprintf(&b, "%q %d %d %d %d", slices.Compact(servers), o.SessionTimeout, o.ConnectTimeout, o.Resync, o.MinUpdateInterval)
	for _, auth := range o.Auths {
		fmt.Fprintf(&b, " %q %q", auth.Scheme, auth.Data)
	}
	return sharingKey{b.String(), o.TLS}
}
