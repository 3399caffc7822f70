// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package dialer_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-rpc/rollcall/internal/dialer"
)

const ms = time.Millisecond

// A world is a host's addresses and what becomes of a dial of each.
type world struct {
	addrs []string
	does  map[string]func(ctx context.Context) error // by address; absent: the dial waits for its context's end

	mu     sync.Mutex // guards what follows
	tried  []string   // "address after time"
	open   int
	begun  time.Time
	lookup []string
}

func refuses(context.Context) error { return syscall.ECONNREFUSED }
func answers(context.Context) error { return nil }

// after has a dial do something only after a while.
func after(d time.Duration, does func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-time.After(d):
			return does(ctx)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (w *world) resolve(_ context.Context, network, host string) ([]netip.Addr, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lookup = append(w.lookup, network+" "+host)
	var list []netip.Addr
	for _, a := range w.addrs {
		list = append(list, netip.MustParseAddr(a))
	}
	return list, nil
}

type openConn struct {
	net.Conn
	address string
	w       *world
}

func (c *openConn) Close() error {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	c.w.open--
	return nil
}

func (w *world) connect(ctx context.Context, network, address string) (net.Conn, error) {
	w.mu.Lock()
	w.tried = append(w.tried, fmt.Sprint(address, " ", time.Since(w.begun)))
	host, _, _ := net.SplitHostPort(address)
	does := w.does[host]
	w.mu.Unlock()
	if does == nil {
		does = func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}
	}
	if err := does(ctx); err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open++
	return &openConn{address: host, w: w}, nil
}

// A name with dead addresses in front was never reached within the second that a
// client gives to a connect: the first one had all of it.
func TestAddressesRace(t *testing.T) {
	for _, tt := range []struct {
		what  string
		addrs []string
		does  map[string]func(context.Context) error
		bound time.Duration // of the context; 0: 1 s
		won   string
		took  time.Duration
		tried string
	}{
		{
			"one",
			[]string{"10.0.0.1"},
			map[string]func(context.Context) error{"10.0.0.1": answers},
			0, "10.0.0.1", 0,
			"10.0.0.1:80 0s",
		},
		{
			"two black holes in front",
			[]string{"10.0.0.1", "10.0.0.2", "10.0.0.3"},
			map[string]func(context.Context) error{"10.0.0.3": answers},
			0, "10.0.0.3", 500 * ms,
			"10.0.0.1:80 0s, 10.0.0.2:80 250ms, 10.0.0.3:80 500ms",
		},
		{
			"one that refuses costs nothing",
			[]string{"10.0.0.1", "10.0.0.2", "10.0.0.3"},
			map[string]func(context.Context) error{"10.0.0.2": refuses, "10.0.0.3": answers},
			0, "10.0.0.3", 250 * ms,
			"10.0.0.1:80 0s, 10.0.0.2:80 250ms, 10.0.0.3:80 250ms",
		},
		{
			"a late refusal begins the next one",
			[]string{"10.0.0.1", "10.0.0.2", "10.0.0.3"},
			map[string]func(context.Context) error{"10.0.0.1": after(100*ms, refuses), "10.0.0.3": answers},
			0, "10.0.0.3", 350 * ms,
			"10.0.0.1:80 0s, 10.0.0.2:80 100ms, 10.0.0.3:80 350ms",
		},
		{
			"the slow first one may still win",
			[]string{"10.0.0.1", "10.0.0.2"},
			map[string]func(context.Context) error{"10.0.0.1": after(300*ms, answers), "10.0.0.2": after(100*ms, answers)},
			0, "10.0.0.1", 300 * ms,
			"10.0.0.1:80 0s, 10.0.0.2:80 250ms",
		},
		{
			"families take turns",
			[]string{"2001:db8::1", "2001:db8::2", "2001:db8::3", "10.0.0.1"},
			map[string]func(context.Context) error{"10.0.0.1": answers},
			time.Hour, "10.0.0.1", 250 * ms,
			"[2001:db8::1]:80 0s, 10.0.0.1:80 250ms",
		},
		{
			"IPv4 first where the resolver says so",
			[]string{"10.0.0.1", "10.0.0.2", "2001:db8::1"},
			map[string]func(context.Context) error{"2001:db8::1": answers},
			time.Hour, "2001:db8::1", 250 * ms,
			"10.0.0.1:80 0s, [2001:db8::1]:80 250ms",
		},
		{
			"the same twice, in either form",
			[]string{"10.0.0.1", "::ffff:10.0.0.1", "10.0.0.2"},
			map[string]func(context.Context) error{"10.0.0.2": answers},
			time.Hour, "10.0.0.2", 250 * ms,
			"10.0.0.1:80 0s, 10.0.0.2:80 250ms",
		},
		{
			"many in little time",
			[]string{"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.0.7", "10.0.0.8", "10.0.0.9"},
			map[string]func(context.Context) error{"10.0.0.9": answers},
			0, "10.0.0.9", 800 * ms, "",
		},
		{
			"one that has not the time of a long context",
			[]string{"10.0.0.1", "10.0.0.2"},
			map[string]func(context.Context) error{"10.0.0.2": answers},
			-1, "10.0.0.2", 250 * ms,
			"10.0.0.1:80 0s, 10.0.0.2:80 250ms",
		},
	} {
		t.Run(tt.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &world{addrs: tt.addrs, does: tt.does, begun: time.Now()}
				ctx := t.Context()
				if tt.bound >= 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, max(tt.bound, time.Second))
					defer cancel()
				}
				d := dialer.Dialer{Resolve: w.resolve, Connect: w.connect}
				conn, err := d.DialContext(ctx, "tcp", "db.example:80")
				if err != nil {
					t.Fatal(err)
				}
				if got := conn.(*openConn).address; got != tt.won || time.Since(w.begun) != tt.took {
					t.Errorf("got %s after %v, want %s after %v", got, time.Since(w.begun), tt.won, tt.took)
				}
				if got := strings.Join(w.tried, ", "); tt.tried != "" && got != tt.tried {
					t.Errorf("tried %s, want %s", got, tt.tried)
				}
				if w.open != 1 {
					t.Errorf("%d connections are open, want the winner's", w.open)
				}
			})
		})
	}
}

// deaf is a dial that does not notice the end of its context before it stands.
func deaf(context.Context) error {
	time.Sleep(300 * ms)
	return nil
}

// Of two that stand one is closed.
func TestLosersAreClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{addrs: []string{"10.0.0.1", "10.0.0.2"}, does: map[string]func(context.Context) error{"10.0.0.1": deaf, "10.0.0.2": answers}, begun: time.Now()}
		d := dialer.Dialer{Resolve: w.resolve, Connect: w.connect}
		conn, err := d.DialContext(t.Context(), "tcp", "db.example:80")
		if err != nil || conn.(*openConn).address != "10.0.0.2" || w.open != 1 {
			t.Errorf("got %v, %v with %d open, want 10.0.0.2 alone", conn, err, w.open)
		}
	})
}

// An error names every address that was tried, and tells what they met.
func TestErrorNamesEveryAddress(t *testing.T) {
	shortage := func(context.Context) error { return os.NewSyscallError("socket", syscall.EMFILE) }
	noFamily := func(context.Context) error { return os.NewSyscallError("connect", syscall.EADDRNOTAVAIL) }
	for _, tt := range []struct {
		what    string
		does    map[string]func(context.Context) error
		text    string
		is      []error
		isNot   []error
		timeout bool
		took    time.Duration
	}{
		{
			"refused by all",
			map[string]func(context.Context) error{"10.0.0.1": refuses, "10.0.0.2": refuses, "10.0.0.3": refuses},
			"dial tcp db.example:80: 10.0.0.1:80: connection refused; 10.0.0.2:80: connection refused; 10.0.0.3:80: connection refused",
			[]error{syscall.ECONNREFUSED},
			nil, false, 0,
		},
		{
			"black holes",
			map[string]func(context.Context) error{"10.0.0.2": refuses},
			"dial tcp db.example:80: 10.0.0.2:80: connection refused; 10.0.0.1:80: context deadline exceeded; 10.0.0.3:80: context deadline exceeded",
			[]error{syscall.ECONNREFUSED, context.DeadlineExceeded},
			nil, true, time.Second,
		},
		{
			"nothing left to dial with",
			map[string]func(context.Context) error{"10.0.0.1": shortage, "10.0.0.2": answers},
			"dial tcp db.example:80: 10.0.0.1:80: socket: too many open files",
			[]error{syscall.EMFILE},
			nil, false, 0,
		},
		{
			"a family that this machine lacks",
			map[string]func(context.Context) error{"10.0.0.1": noFamily, "10.0.0.2": refuses, "10.0.0.3": refuses},
			"",
			[]error{syscall.ECONNREFUSED},
			[]error{syscall.EADDRNOTAVAIL},
			false, 0,
		},
		{
			"no port for any",
			map[string]func(context.Context) error{"10.0.0.1": noFamily, "10.0.0.2": noFamily, "10.0.0.3": noFamily},
			"",
			[]error{syscall.EADDRNOTAVAIL},
			nil, false, 0,
		},
	} {
		t.Run(tt.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &world{addrs: []string{"10.0.0.1", "10.0.0.2", "10.0.0.3"}, does: tt.does, begun: time.Now()}
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				d := dialer.Dialer{Resolve: w.resolve, Connect: w.connect}
				_, err := d.DialContext(ctx, "tcp", "db.example:80")
				op, ok := errors.AsType[*net.OpError](err)
				if !ok || op.Timeout() != tt.timeout || time.Since(w.begun) != tt.took {
					t.Fatalf("got %#v after %v, want a *net.OpError after %v", err, time.Since(w.begun), tt.took)
				}
				if tt.text != "" && sorted(err.Error()) != sorted(tt.text) {
					t.Errorf("got %q, want %q", err, tt.text)
				}
				for _, is := range tt.is {
					if !errors.Is(err, is) {
						t.Errorf("%v is not %v", err, is)
					}
				}
				for _, isNot := range tt.isNot {
					if errors.Is(err, isNot) {
						t.Errorf("%v is %v", err, isNot)
					}
				}
				if w.open != 0 {
					t.Errorf("%d connections are open", w.open)
				}
			})
		})
	}
}

// sorted sorts what a text says of each address: those that end with the context do so
// in any order.
func sorted(text string) string {
	list := strings.Split(strings.TrimPrefix(text, "dial tcp db.example:80: "), "; ")
	slices.Sort(list)
	return strings.Join(list, "; ")
}

// A name is resolved at each dial: its addresses may have moved.
func TestNameIsResolvedAnew(t *testing.T) {
	w := &world{addrs: []string{"10.0.0.1"}, does: map[string]func(context.Context) error{"10.0.0.1": answers, "10.0.0.2": answers}, begun: time.Now()}
	d := dialer.Dialer{Resolve: w.resolve, Connect: w.connect}
	for _, want := range []string{"10.0.0.1", "10.0.0.2"} {
		w.addrs = []string{want}
		conn, err := d.DialContext(t.Context(), "tcp6", "db.example:80")
		if err != nil || conn.(*openConn).address != want {
			t.Errorf("got %v, %v, want %s", conn, err, want)
		}
	}
	if want := []string{"ip6 db.example", "ip6 db.example"}; !slices.Equal(w.lookup, want) {
		t.Errorf("looked up %q, want %q", w.lookup, want)
	}
}

// With Rand clients spread over the addresses of a name.
func TestRandomOrder(t *testing.T) {
	w := &world{addrs: []string{"10.0.0.1", "10.0.0.2", "10.0.0.3"}, begun: time.Now()}
	w.does = map[string]func(context.Context) error{"10.0.0.1": answers, "10.0.0.2": answers, "10.0.0.3": answers}
	d := dialer.Dialer{Resolve: w.resolve, Connect: w.connect, Rand: func() float64 { return 0 }}
	conn, err := d.DialContext(t.Context(), "tcp", "db.example:80")
	if err != nil || conn.(*openConn).address != "10.0.0.2" {
		t.Errorf("got %v, %v, want 10.0.0.2", conn, err)
	}
}

func TestWhatIsNoName(t *testing.T) {
	var direct []string
	d := dialer.Dialer{
		Resolve: func(_ context.Context, _, host string) ([]netip.Addr, error) {
			if host == "empty.example" {
				return nil, nil
			}
			return nil, &net.DNSError{Err: "dial udp: socket: too many open files", Name: host}
		},
		Connect: func(_ context.Context, network, address string) (net.Conn, error) {
			direct = append(direct, network+" "+address)
			return nil, syscall.ECONNREFUSED
		},
	}
	for _, tt := range []struct {
		address, direct string
		is              error
	}{
		{"10.0.0.1:80", "tcp 10.0.0.1:80", syscall.ECONNREFUSED},
		{"[::1]:80", "tcp [::1]:80", syscall.ECONNREFUSED},
		{"[fe80::1%eth0]:80", "tcp [fe80::1%eth0]:80", syscall.ECONNREFUSED},
		{":80", "tcp :80", syscall.ECONNREFUSED},
		{"db.example", "", &net.AddrError{Err: "missing port in address", Addr: "db.example"}},
		{"db.example:80", "", syscall.EMFILE}, // which the resolver has met
		{"empty.example:80", "", nil},
	} {
		direct = nil
		_, err := d.DialContext(t.Context(), "tcp", tt.address)
		var bad *net.AddrError
		switch {
		case strings.Join(direct, ", ") != tt.direct:
			t.Errorf("%s: dialled %q, want %q", tt.address, direct, tt.direct)
		case errors.As(tt.is, &bad):
			if !errors.As(err, &bad) {
				t.Errorf("%s: got %v, want %v", tt.address, err, tt.is)
			}
		case err == nil || (tt.is != nil && !errors.Is(err, tt.is)):
			t.Errorf("%s: got %v, want %v", tt.address, err, tt.is)
		}
	}
}

// The zero value speaks to real resolvers and sockets.
func TestZeroDialer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	for _, host := range []string{"127.0.0.1", "localhost"} {
		conn, err := new(dialer.Dialer).DialContext(t.Context(), "tcp", net.JoinHostPort(host, port))
		if err != nil {
			t.Errorf("%s: %v", host, err)
			continue
		}
		conn.Close()
	}
}
