// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/balancer"
	"github.com/rollcall-rpc/rollcall/discovery"
)

// A scarceDial dials until it has no descriptor left, and fails then, for as long as
// its connections are open.
type scarceDial struct {
	dial func(ctx context.Context, network, address string) (net.Conn, error)

	mu     sync.Mutex // guards what follows
	left   int
	lack   error // what it fails with
	failed int   // how often it has
}

func (d *scarceDial) set(left int, lack error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.left, d.lack = left, lack
}

func (d *scarceDial) failures() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.failed
}

func (d *scarceDial) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	d.mu.Lock()
	if d.left == 0 {
		d.failed++
		lack := d.lack
		d.mu.Unlock()
		if lack == nil {
			panic("the dialler has a fault")
		}
		return nil, lack
	}
	d.left--
	d.mu.Unlock()
	conn, err := d.dial(ctx, network, address)
	if err != nil {
		d.free()
		return nil, err
	}
	return &scarceConn{Conn: conn, free: sync.OnceFunc(d.free)}, nil
}

func (d *scarceDial) free() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.left++
}

type scarceConn struct {
	net.Conn
	free func()
}

func (c *scarceConn) Close() error {
	defer c.free()
	return c.Conn.Close()
}

// A scarcity is a client that can run out of descriptors, and servers a, b, ….
type scarcity struct {
	*trial
	dialer  scarceDial
	servers map[string]*trialServer
	client  *rollcall.Client
	log     logLines
	calls   uint64
}

// inScarcity plays a test in a bubble, with descriptors enough at first.
func inScarcity(t *testing.T, names string, test func(*testing.T, *scarcity)) {
	t.Helper()
	tr := newTrial(t)
	synctest.Test(t, func(t *testing.T) {
		tr.t = t
		s := &scarcity{trial: tr, dialer: scarceDial{dial: tr.dial, left: 1000}, servers: map[string]*trialServer{}}
		for _, name := range names {
			s.servers[string(name)] = tr.serve(string(name)+":1", rollcall.ServerOptions{Logger: discard})
		}
		var err error
		s.client, err = rollcall.NewClient("memory", rollcall.ClientOptions{
			Resolver: &tr.registry, Dial: s.dialer.Dial, Logger: s.log.logger(), Balancing: balancer.Options{Policy: balancer.RoundRobin},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			s.client.Close()
			for _, server := range s.servers {
				server.Close()
			}
		}()
		test(t, s)
	})
}

// call makes a call; to is the instance that must answer, "" any.
func (s *scarcity) call(to string, opts rollcall.CallOptions) error {
	s.calls++
	if to != "" {
		opts.Instance = to + ":1"
	}
	return s.trial.call(s.t.Context(), s.client, s.calls, 0, false, opts)
}

// connected returns the servers that the client has connections to.
func (s *scarcity) connected() string {
	synctest.Wait()
	var names strings.Builder
	for _, in := range s.client.State().Instances {
		if in.Connected {
			names.WriteString(strings.TrimSuffix(in.Address, ":1"))
		}
	}
	return names.String()
}

// all demands of each instance to be in the state.
func (s *scarcity) all(when string, state balancer.State) {
	s.t.Helper()
	synctest.Wait()
	endpoints := s.client.Snapshot().Endpoints
	for _, e := range endpoints {
		if e.State != state {
			s.t.Errorf("%s: %s is %v, want %v", when, e.Endpoint.Instance.Addr(), e.State, state)
		}
	}
	if len(endpoints) != len(s.servers) {
		s.t.Errorf("%s: %d instances are known, want %d", when, len(endpoints), len(s.servers))
	}
}

var lacks = []struct {
	name string
	err  error // nil: the function panics
	says string
}{
	{"descriptors of the process", &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("socket", syscall.EMFILE)}, "this process has no descriptor left: "},
	{"descriptors of the system", syscall.ENFILE, "this system has no descriptor left: "},
	{"buffers", syscall.ENOBUFS, "this system has no memory left for a connection: "},
	{"memory", syscall.ENOMEM, "this system has no memory left for a connection: "},
	{"ports", &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.EADDRNOTAVAIL)}, "this system has no address or port left to dial from: "},
	{"what its Dial needs", errors.New("the tunnel is not up"), "the tunnel is not up"},
	{"sense in its Dial", nil, "panicked"},
}

// A client that ran out of descriptors set healthy servers aside by the hundred,
// probed them without end, and forgot for good who was not in the list. Now it blames
// nobody, and calls whom it is connected to.
func TestClientOutOfItsOwnResources(t *testing.T) {
	for _, tt := range lacks {
		t.Run(tt.name, func(t *testing.T) {
			inScarcity(t, "abcde", func(t *testing.T, s *scarcity) {
				if err := s.call("a", rollcall.CallOptions{}); err != nil {
					t.Fatal(err)
				}
				s.dialer.set(0, tt.err)
				calls := func(when string) {
					for range 100 {
						if err := s.call("", rollcall.CallOptions{MaxAttempts: 1}); err != nil {
							t.Fatalf("%s: %v", when, err)
						}
						time.Sleep(10 * time.Millisecond)
					}
				}
				calls("connected to one")
				s.all("connected to one", balancer.StateUsable)
				s.registry.Set(nil)
				synctest.Wait()
				calls("the list is wiped")
				s.all("the list is wiped", balancer.StateLingering)
				if lines, _ := s.log.with("level=WARN", "cannot be opened"); len(lines) < 1 || len(lines) > 4 {
					t.Errorf("%d lines in two seconds, want a few: %q", len(lines), lines)
				}
			})
		})
		t.Run(tt.name+", connected to nobody", func(t *testing.T) {
			inScarcity(t, "abcde", func(t *testing.T, s *scarcity) {
				synctest.Wait() // until the list is there
				s.dialer.set(0, tt.err)
				for range 20 {
					err := s.call("", rollcall.CallOptions{})
					wantError(t, err, rollcall.CodeUnavailable, rollcall.ReasonConnection, rollcall.ExecutedNo, tt.says)
					if tt.err != nil && !errors.Is(err, tt.err) {
						t.Errorf("%v is not %v", err, tt.err)
					}
				}
				s.all("connected to nobody", balancer.StateUsable)
				waits := make(chan error, 1)
				go func() { waits <- s.call("", rollcall.CallOptions{WaitForReady: true}) }()
				time.Sleep(10 * time.Second)
				if n := s.dialer.failures(); n > 1000 {
					t.Errorf("%d dials failed within 10 s", n)
				}
				s.dialer.set(1, tt.err)
				begun := time.Now()
				if err := <-waits; err != nil || time.Since(begun) > 200*time.Millisecond {
					t.Errorf("got %v, %v after a descriptor was free, want an answer within 200ms", err, time.Since(begun))
				}
			})
		})
	}
}

// Probes of those that are down become fewer, and forget nobody who is not in the
// list; once there are descriptors who is up again is found.
func TestProbesOutOfDescriptors(t *testing.T) {
	for _, state := range []balancer.State{balancer.StateSetAside, balancer.StateLingering} {
		inScarcity(t, "abcde", func(t *testing.T, s *scarcity) {
			for name := range s.servers { // all die without a word
				if err := s.call(name, rollcall.CallOptions{}); err != nil {
					t.Fatal(err)
				}
				s.dialer.set(0, syscall.EMFILE)
				for _, conn := range s.network.Conns(name + ":1") {
					conn.Cut()
				}
				synctest.Wait()
				s.dialer.set(1000, nil)
			}
			s.dialer.set(0, syscall.EMFILE)
			if state == balancer.StateLingering {
				s.registry.Set(nil)
			}
			time.Sleep(time.Minute)
			s.all("a minute without descriptors", state)
			// Five instances, each with pauses of 2.5 s in the mean once they have grown.
			if n := s.dialer.failures(); n < 5 || n > 5*50 {
				t.Errorf("%d probes within a minute, want some 100", n)
			}
			s.dialer.set(1000, nil)
			time.Sleep(balancer.DefaultBackoffMax)
			if got := s.connected(); got != "abcde" {
				t.Errorf("connected to %q after the shortage, want all", got)
			}
		})
	}
}

// Where nobody is connected whom a call may go to, the connection that has been idle
// for longest makes room; one with a call on it does not.
func TestLongestIdleMakesRoom(t *testing.T) {
	for _, lack := range []error{syscall.EMFILE, syscall.ENFILE} {
		inScarcity(t, "abcd", func(t *testing.T, s *scarcity) {
			release := make(chan struct{})
			s.work = func(_ context.Context, id uint64) {
				if id > 1000 {
					<-release
				}
			}
			s.dialer.set(3, lack)
			use := func(to, want string) {
				t.Helper()
				if err := s.call(to, rollcall.CallOptions{}); err != nil {
					t.Errorf("call to %s: %v", to, err)
				}
				if got := s.connected(); got != want {
					t.Errorf("after a call to %s: connected to %q, want %q", to, got, want)
				}
				time.Sleep(time.Second)
			}
			use("a", "a")
			use("b", "ab")
			use("c", "abc")
			use("a", "abc")
			use("d", "acd") // b had been idle for longest
			use("b", "abd")
			for range 20 { // to whom we are connected, without any closing
				use("", "abd")
			}
			busy := make(chan error, 3)
			s.calls = 1000
			for _, name := range []string{"a", "b", "d"} {
				s.calls++
				id := s.calls
				go func() {
					busy <- s.trial.call(context.Background(), s.client, id, 0, false, rollcall.CallOptions{Instance: name + ":1"})
				}()
			}
			synctest.Wait()
			s.calls = 100
			wantError(t, s.call("c", rollcall.CallOptions{}), rollcall.CodeUnavailable, rollcall.ReasonConnection, rollcall.ExecutedNo, "no descriptor left")
			if got := s.connected(); got != "abd" {
				t.Errorf("connected to %q, want abd: there are calls on them", got)
			}
			close(release)
			for range cap(busy) {
				if err := <-busy; err != nil {
					t.Error(err)
				}
			}
			s.all("at the end", balancer.StateUsable)
		})
	}
}

// Many calls that wait for one dial close one connection for it, not one each.
func TestOneDialMakesRoomOnce(t *testing.T) {
	inScarcity(t, "abcdefgh", func(t *testing.T, s *scarcity) {
		for _, name := range "abcdefg" {
			if err := s.call(string(name), rollcall.CallOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		s.dialer.set(0, syscall.EMFILE)
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				if err := s.trial.call(t.Context(), s.client, uint64(100+i), 0, false, rollcall.CallOptions{Instance: "h:1"}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if got := s.connected(); len(got) != 7 || !strings.Contains(got, "h") {
			t.Errorf("connected to %q, want h and six of the others", got)
		}
	})
}

// Idle connections in foreign formats make room too, and are gone to.
func TestIdleDialectMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var list []discovery.Instance
		for i := range 3 {
			name := fmt.Sprint("h", i)
			list = append(list, discovery.Instance{Name: name, ID: name, Host: name, Port: 1, Weight: 1, Protocols: []string{"quick"}})
		}
		d := scarceDial{dial: pipe, left: 2, lack: syscall.EMFILE}
		c, err := rollcall.NewClient("memory", rollcall.ClientOptions{Resolver: listOf(list...), Dial: d.Dial, Dialects: []rollcall.Dialect{{
			Protocol: "quick",
			Dial: func(_ context.Context, _ discovery.Instance, conn net.Conn) (rollcall.Caller, error) {
				return quickCaller{conn}, nil
			},
		}}})
		if err != nil {
			t.Fatal(err)
		}
		for _, in := range []string{"h0", "h1", "h0", "h2", "", "h1"} {
			var report rollcall.Report
			if _, err := c.Invoke(t.Context(), "M", nil, rollcall.CallOptions{Instance: in, Report: &report}); err != nil {
				t.Errorf("%q: %v", in, err)
			}
			time.Sleep(time.Second)
		}
		// h1 gave way to h2, any call went to h0 or h2, and one of these gave way to h1.
		if counts := c.Snapshot().Counts; counts.Usable != 3 || d.left != 0 {
			t.Errorf("got %v and %d descriptors left, want 3 usable and none", counts, d.left)
		}
		c.Close()
	})
}

type quickCaller struct{ conn net.Conn }

func (c quickCaller) Call(context.Context, rollcall.Request) (rollcall.Reply, error) {
	return rollcall.Reply{}, nil
}

func (c quickCaller) Close() error { return c.conn.Close() }
