// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

// Package dialer connects to a host that may have several addresses, of which some
// may be dead: they race, so that one that swallows packets costs a quarter of a
// second and not the whole time.
//
//	conn, err := new(dialer.Dialer).DialContext(ctx, "tcp", "db.example:2181")
//
// A name is resolved anew each time. The addresses are tried in the resolver's order,
// but for the families, which take turns; the next one begins 250 ms after the last,
// or sooner where the context leaves too little time for all of them, and at once
// where one has failed. The first connection wins.
//
// # Concurrency
//
// The methods of a [Dialer] may be called from any goroutine, as far as its functions
// may. Nothing of a call is left when it returns.
//
// # Caveats
//
// What counts is that a connection stands: the kernel of a hung server makes them as
// well. A caller who speaks TLS gives it the name, not the address that won.
//
// Source: RFC 8305, Happy Eyeballs Version 2. Of it the asynchronous look-up (section
// 3) is left out: net.Resolver returns both families together.
package dialer

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/rollcall-rpc/rollcall/internal/shortage"
)

const (
	// attemptDelay is how long an address is waited for before the next one is tried
	// beside it, and minAttemptDelay the same where there are many or little time is
	// left: "Connection Attempt Delay" and "Minimum Connection Attempt Delay".
	attemptDelay    = 250 * time.Millisecond
	minAttemptDelay = 10 * time.Millisecond
)

// A Dialer connects to hosts by name. The zero value is ready.
type Dialer struct {
	// Resolve returns the addresses of a host, best first. network is "ip", "ip4" or
	// "ip6". Nil: that of net.DefaultResolver.
	Resolve func(ctx context.Context, network, host string) ([]netip.Addr, error)

	// Connect connects to one address and heeds its context. Nil: a net.Dialer.
	Connect func(ctx context.Context, network, address string) (net.Conn, error)

	// Rand returns a number in [0, 1): the addresses of each family are then tried in
	// random order, so that clients spread over them. Nil: in the resolver's.
	Rand func() float64
}

// DialContext connects to address, "host:port", on network "tcp", "tcp4" or "tcp6".
// ctx bounds it all. Its error is a *net.OpError; where the host has addresses it
// names each that was tried, and errors.Is finds what they met.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	connect := d.Connect
	if connect == nil {
		connect = new(net.Dialer).DialContext
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	if _, err := netip.ParseAddr(host); err == nil || host == "" {
		return connect(ctx, network, address)
	}
	addrs, err := d.resolve(ctx, network, host)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	r := race{connect: connect, network: network, results: make(chan attempt, len(addrs))}
	for _, a := range addrs {
		r.left = append(r.left, net.JoinHostPort(a.String(), port))
	}
	conn, err := r.run(ctx)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Addr: named(address), Err: err}
	}
	return conn, nil
}

// resolve returns the addresses of a host in the order in which they are tried.
func (d *Dialer) resolve(ctx context.Context, network, host string) ([]netip.Addr, error) {
	resolve := d.Resolve
	if resolve == nil {
		resolve = net.DefaultResolver.LookupNetIP
	}
	addrs, err := resolve(ctx, "ip"+strings.TrimPrefix(network, "tcp"), host)
	if err != nil {
		return nil, shortage.Unveil(err)
	}
	if len(addrs) == 0 {
		return nil, &net.DNSError{Err: "no address", Name: host, IsNotFound: true}
	}
	return d.order(addrs), nil
}

// order has the families take turns, the one that the resolver prefers first.
func (d *Dialer) order(addrs []netip.Addr) []netip.Addr {
	var families [2][]netip.Addr // that of the first address, and the other one
	first := addrs[0].Unmap().Is4()
	for _, a := range addrs {
		a = a.Unmap() // resolvers write IPv4 either way
		i := 0
		if a.Is4() != first {
			i = 1
		}
		if !slices.Contains(families[i], a) {
			families[i] = append(families[i], a)
		}
	}
	list := make([]netip.Addr, 0, len(addrs))
	for _, f := range families {
		d.shuffle(f)
	}
	for i := range max(len(families[0]), len(families[1])) {
		for _, f := range families {
			if i < len(f) {
				list = append(list, f[i])
			}
		}
	}
	return list
}

// shuffle puts list in random order where that is wanted (Fisher and Yates).
func (d *Dialer) shuffle(list []netip.Addr) {
	if d.Rand == nil {
		return
	}
	for i := len(list) - 1; i > 0; i-- {
		j := int(d.Rand() * float64(i+1))
		list[i], list[j] = list[j], list[i]
	}
}

// A race is one dial of a host.
type race struct {
	connect func(ctx context.Context, network, address string) (net.Conn, error)
	network string
	left    []string // the addresses not tried yet
	running int
	results chan attempt // has room for all
	failed  failures
}

// An attempt is what became of one address.
type attempt struct {
	address string
	conn    net.Conn
	err     error
}

// run returns the first connection that stands, or what all the addresses met.
func (r *race) run(ctx context.Context) (conn net.Conn, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer func() {
		cancel()
		r.closeLosers()
	}()
	delay := r.delay(ctx)
	next := time.NewTimer(0) // when the next one begins
	defer next.Stop()
	for len(r.left) > 0 || r.running > 0 {
		select {
		case <-next.C:
			if r.begin(ctx) {
				next.Reset(delay)
			}
		case a := <-r.results:
			r.running--
			if a.err == nil {
				return a.conn, nil
			}
			r.failed = append(r.failed, a)
			if shortage.Is(a.err) || ctx.Err() != nil {
				r.left = nil // the others would meet the same
			}
			next.Reset(0)
		}
	}
	return nil, r.failed
}

// delay returns how long an address is waited for before the next one is tried: all
// shall have been, and the last one have time to answer.
func (r *race) delay(ctx context.Context) time.Duration {
	end, ok := ctx.Deadline()
	if !ok {
		return attemptDelay
	}
	share := time.Until(end) / time.Duration(len(r.left)+1)
	return max(min(share, attemptDelay), minAttemptDelay)
}

// begin tries the next address; false: there is none.
func (r *race) begin(ctx context.Context) bool {
	if len(r.left) == 0 {
		return false
	}
	address := r.left[0]
	r.left = r.left[1:]
	r.running++
	go func() {
		conn, err := r.connect(ctx, r.network, address)
		r.results <- attempt{address, conn, err}
	}()
	return true
}

// closeLosers waits for those that are still under way, whose context has ended.
func (r *race) closeLosers() {
	for ; r.running > 0; r.running-- {
		if a := <-r.results; a.err == nil {
			a.conn.Close()
		}
	}
}

// failures are what the addresses of a host met.
type failures []attempt

func (f failures) Error() string {
	texts := make([]string, len(f))
	for i, a := range f {
		err := a.err
		if op, ok := err.(*net.OpError); ok && op.Op == "dial" { //nolint:errorlint // the outermost names the address once more
			err = op.Err
		}
		texts[i] = a.address + ": " + err.Error()
	}
	return strings.Join(texts, "; ")
}

// Unwrap returns what tells of the host. That this machine has no address to reach
// one of its addresses from, for want of a family most likely, says nothing where
// another one failed otherwise.
func (f failures) Unwrap() []error {
	var all, telling []error
	for _, a := range f {
		all = append(all, a.err)
		if !errors.Is(a.err, syscall.EADDRNOTAVAIL) {
			telling = append(telling, a.err)
		}
	}
	if len(telling) > 0 {
		return telling
	}
	return all
}

// Timeout implements net.Error by way of the *net.OpError around it: the time was up
// before one of the addresses had said anything.
func (f failures) Timeout() bool {
	return slices.ContainsFunc(f, func(a attempt) bool {
		timeout, ok := errors.AsType[net.Error](a.err)
		return ok && timeout.Timeout()
	})
}

// named is the address of a host as it was given.
type named string

func (n named) Network() string { return "tcp" }
func (n named) String() string  { return string(n) }
