// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zk

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"time"
)

// The defaults of [Options].
const (
	DefaultSessionTimeout  = 10 * time.Second
	DefaultConnectTimeout  = time.Second
	DefaultBackoffMin      = 50 * time.Millisecond
	DefaultBackoffMax      = 5 * time.Second
	DefaultMaxPacketBytes  = 16 << 20
	DefaultMaxRequestBytes = 1<<20 - 1
	DefaultMaxQueued       = 10_000
	DefaultWatchQueue      = 256
)

// Options change how a [Client] behaves. The zero value of every field is its
// default.
type Options struct {
	// SessionTimeout is asked for; the server settles the value that
	// Session.Timeout tells, 2 to 20 of its ticks by default. A session ends when
	// the server has not heard from the client for that long. Default 10 s, at
	// least 1 ms.
	SessionTimeout time.Duration
	// ConnectTimeout bounds dialling one server, the handshake and the
	// authentication together. Default 1 s.
	ConnectTimeout time.Duration
	// BackoffMin and BackoffMax bound the pause before the next attempt to
	// connect. After n rounds over all servers it is random between 0 and
	// min(BackoffMax, BackoffMin·2ⁿ); only an established session sets n to 0
	// again. Defaults 50 ms and 5 s.
	BackoffMin, BackoffMax time.Duration
	// Auths are presented on every connection before anything else. When a server
	// refuses one the client ends in StateAuthFailed. Default none.
	Auths []Auth
	// MaxPacketBytes is the largest reply that is accepted; a longer one costs the
	// connection. Default 16 MiB.
	MaxPacketBytes int
	// MaxRequestBytes is the largest request that is sent; a longer one fails with
	// ErrRequestTooLarge. Servers close the connection on a request that is longer
	// than their jute.maxbuffer. Default 1,048,575 bytes, which is also theirs.
	MaxRequestBytes int
	// MaxQueued is how many requests may wait for a connection or an answer; one
	// more fails with ErrQueueFull. Default 10,000.
	MaxQueued int
	// WatchQueue is how many events of a persistent watch may wait for its reader
	// before they are dropped and replaced by one Lost event. Default 256.
	WatchQueue int
	// Dial opens connections. The default resolves the host's name at each attempt
	// and tries its addresses in random order over TCP.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Logger receives the changes of the session. Default none.
	Logger *slog.Logger
	// Rand returns a number in [0, 1): the source of jitter and of the order of
	// servers. Default [rand.Float64].
	Rand func() float64
}

// An Auth is an identity to present to the server.
type Auth struct {
	Scheme string // "digest", …
	Data   []byte // for digest: "user:password"
}

// withDefaults returns o with every zero field set, or an error that names the
// field that cannot be used.
func (o Options) withDefaults() (Options, error) {
	for _, d := range []struct {
		name  string
		field *time.Duration
		def   time.Duration
	}{
		{"SessionTimeout", &o.SessionTimeout, DefaultSessionTimeout},
		{"ConnectTimeout", &o.ConnectTimeout, DefaultConnectTimeout},
		{"BackoffMin", &o.BackoffMin, DefaultBackoffMin},
		{"BackoffMax", &o.BackoffMax, max(o.BackoffMin, DefaultBackoffMax)},
	} {
		if *d.field == 0 {
			*d.field = d.def
		}
		if *d.field < time.Millisecond || *d.field > math.MaxInt32*time.Millisecond {
			return o, fmt.Errorf("zk: Options.%s is %v: use 1 ms to %v, or 0 for %v", d.name, *d.field, math.MaxInt32*time.Millisecond, d.def)
		}
	}
	if o.BackoffMax < o.BackoffMin {
		return o, fmt.Errorf("zk: Options.BackoffMax is %v: make it at least BackoffMin, %v", o.BackoffMax, o.BackoffMin)
	}
	for _, d := range []struct {
		name  string
		field *int
		def   int
	}{
		{"MaxPacketBytes", &o.MaxPacketBytes, DefaultMaxPacketBytes},
		{"MaxRequestBytes", &o.MaxRequestBytes, DefaultMaxRequestBytes},
		{"MaxQueued", &o.MaxQueued, DefaultMaxQueued},
		{"WatchQueue", &o.WatchQueue, DefaultWatchQueue},
	} {
		if *d.field == 0 {
			*d.field = d.def
		}
		if *d.field < 1 || *d.field > math.MaxInt32 {
			return o, fmt.Errorf("zk: Options.%s is %d: use 1 to %d, or 0 for %d", d.name, *d.field, math.MaxInt32, d.def)
		}
	}
	for i, a := range o.Auths {
		if a.Scheme == "" {
			return o, fmt.Errorf("zk: Options.Auths[%d].Scheme is empty: name a scheme, for example digest", i)
		}
	}
	o.Auths = slices.Clone(o.Auths)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Rand == nil {
		o.Rand = rand.Float64
	}
	if o.Dial == nil {
		o.Dial = dialResolved(o.Rand)
	}
	return o, nil
}

// checkServers returns an error that names the server that cannot be used.
func checkServers(servers []string) error {
	if len(servers) == 0 {
		return fmt.Errorf("zk: servers is empty: name at least one as host:port, for example 127.0.0.1:2181")
	}
	for i, s := range servers {
		host, port, err := net.SplitHostPort(s)
		if err != nil {
			return fmt.Errorf("zk: servers[%d] is %q: write host:port, for example 127.0.0.1:2181: %w", i, s, err)
		}
		if host == "" {
			return fmt.Errorf("zk: servers[%d] is %q: the host is missing", i, s)
		}
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return fmt.Errorf("zk: servers[%d] is %q: the port %q is not a number from 1 to 65535", i, s, port)
		}
	}
	return nil
}

// dialResolved returns a dial function that resolves names anew each time and
// tries the addresses in random order: a name with a dead address in front, or
// one whose addresses have all moved, does not hold a client up.
func dialResolved(random func() float64) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		addrs, err := net.DefaultResolver.LookupHost(ctx, host)
		if err != nil {
			return nil, err
		}
		shuffle(addrs, random)
		var d net.Dialer
		for _, a := range addrs {
			var conn net.Conn
			if conn, err = d.DialContext(ctx, network, net.JoinHostPort(a, port)); err == nil {
				return conn, nil
			}
		}
		return nil, err
	}
}

// shuffle puts list in random order (Fisher and Yates).
func shuffle(list []string, random func() float64) {
	for i := len(list) - 1; i > 0; i-- {
		j := int(random() * float64(i+1))
		list[i], list[j] = list[j], list[i]
	}
}
