// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zk

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
	"strconv"
	"time"

	"github.com/rollcall-rpc/rollcall/internal/dialer"
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
	// ConnectTimeout bounds dialling one server, TLS, the handshake and the
	// authentication together. Default 1 s, at least 1 ms.
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
	// TLS makes every connection one of TLS: it is the client's configuration, with
	// a certificate where the servers want one. An empty ServerName stands for the
	// host of the server that is dialled, as given to New. It must not be changed
	// any more. Default none: no TLS, and Auths go over the network as they are.
	TLS *tls.Config
	// Dial opens connections, below TLS. The default resolves the host's name at each attempt
	// and tries its addresses in random order over TCP, the next one beside the last where
	// that has not answered within 250 ms.
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

// check returns what cannot be used, a problem each: the field, its value and what
// to give instead.
func (o *Options) check() error {
	var problems []error
	bad := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf("zk: Options."+format, args...))
	}
	d := o.withDefaults()
	for _, f := range []struct {
		name       string
		value, def time.Duration
	}{
		{"SessionTimeout", d.SessionTimeout, DefaultSessionTimeout},
		{"ConnectTimeout", d.ConnectTimeout, DefaultConnectTimeout},
		{"BackoffMin", d.BackoffMin, DefaultBackoffMin},
		{"BackoffMax", d.BackoffMax, DefaultBackoffMax},
	} {
		if f.value < time.Millisecond || f.value > math.MaxInt32*time.Millisecond {
			bad("%s is %v: use 1 ms to %v, or 0 for %v", f.name, f.value, math.MaxInt32*time.Millisecond, f.def)
		}
	}
	if d.BackoffMax < d.BackoffMin {
		bad("BackoffMax is %v: make it at least BackoffMin, %v", d.BackoffMax, d.BackoffMin)
	}
	for _, f := range []struct {
		name       string
		value, def int
	}{
		{"MaxPacketBytes", d.MaxPacketBytes, DefaultMaxPacketBytes},
		{"MaxRequestBytes", d.MaxRequestBytes, DefaultMaxRequestBytes},
		{"MaxQueued", d.MaxQueued, DefaultMaxQueued},
		{"WatchQueue", d.WatchQueue, DefaultWatchQueue},
	} {
		if f.value < 1 || f.value > math.MaxInt32 {
			bad("%s is %d: use 1 to %d, or 0 for %d", f.name, f.value, math.MaxInt32, f.def)
		}
	}
	for i, a := range o.Auths {
		if a.Scheme == "" {
			bad("Auths[%d].Scheme is empty: name a scheme, for example digest", i)
		}
	}
	return errors.Join(problems...)
}

// withDefaults returns o with the default in the place of every zero field. What
// is shared with the caller is copied.
func (o Options) withDefaults() Options {
	o.SessionTimeout = cmp.Or(o.SessionTimeout, DefaultSessionTimeout)
	o.ConnectTimeout = cmp.Or(o.ConnectTimeout, DefaultConnectTimeout)
	o.BackoffMin = cmp.Or(o.BackoffMin, DefaultBackoffMin)
	o.BackoffMax = cmp.Or(o.BackoffMax, max(o.BackoffMin, DefaultBackoffMax))
	o.MaxPacketBytes = cmp.Or(o.MaxPacketBytes, DefaultMaxPacketBytes)
	o.MaxRequestBytes = cmp.Or(o.MaxRequestBytes, DefaultMaxRequestBytes)
	o.MaxQueued = cmp.Or(o.MaxQueued, DefaultMaxQueued)
	o.WatchQueue = cmp.Or(o.WatchQueue, DefaultWatchQueue)
	o.Auths = slices.Clone(o.Auths)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Rand == nil {
		o.Rand = rand.Float64
	}
	if o.Dial == nil {
		o.Dial = (&dialer.Dialer{Rand: o.Rand}).DialContext
	}
	return o
}

// checkServers returns what is wrong with the servers, a problem each.
func checkServers(servers []string) error {
	if len(servers) == 0 {
		return errors.New("zk: servers is empty: name at least one as host:port, for example 127.0.0.1:2181")
	}
	var problems []error
	for i, s := range servers {
		host, port, err := net.SplitHostPort(s)
		n, numErr := strconv.Atoi(port)
		switch {
		case err != nil:
			err = fmt.Errorf("zk: servers[%d] is %q: write host:port, for example 127.0.0.1:2181: %w", i, s, err)
		case host == "":
			err = fmt.Errorf("zk: servers[%d] is %q: the host is missing", i, s)
		case numErr != nil || n < 1 || n > 65535:
			err = fmt.Errorf("zk: servers[%d] is %q: the port %q is not a number from 1 to 65535", i, s, port)
		}
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

// shuffle puts list in random order (Fisher and Yates).
func shuffle(list []string, random func() float64) {
	for i := len(list) - 1; i > 0; i-- {
		j := int(random() * float64(i+1))
		list[i], list[j] = list[j], list[i]
	}
}
