// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/discovery"
)

// patience bounds every wait in these tests. It is never waited out by a test
// that passes.
const patience = 20 * time.Second

type fraction struct {
	Num1 int32
	Num2 int32
}

type quotient struct {
	Value  float64
	Server string
}

var divide = rollcall.Method[fraction, quotient]{Name: "Divide/Divide", Idempotent: true}

// divideOn returns the handler of divide on the server of that name.
func divideOn(server string) func(context.Context, *fraction) (*quotient, error) {
	return func(_ context.Context, f *fraction) (*quotient, error) {
		if f.Num2 == 0 {
			return nil, &rollcall.Error{
				Code: rollcall.CodeInvalidArgument, Reason: "INVALID_OPERATION",
				Message: "division by zero", Details: map[string]string{"num1": "1"},
			}
		}
		return &quotient{Value: float64(f.Num1) / float64(f.Num2), Server: server}, nil
	}
}

// A running is a server that serves until the test ends.
type running struct {
	*rollcall.Server
	addr  string
	drain context.CancelFunc // ends Serve's context
	ended chan struct{}      // closed when Serve has returned
	err   error              // what Serve returned; read it after ended
}

// start serves on a free loopback port, or on addr where it is not empty, of the
// network that this run has.
func start(t testing.TB, addr string, opts rollcall.ServerOptions, register func(*rollcall.Server)) *running {
	t.Helper()
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	l := meeting.listen(t, addr)
	opts = meeting.server(opts, l)
	ctx, cancel := context.WithCancel(context.Background())
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	r := &running{Server: rollcall.NewServer(opts), addr: l.Addr().String(), drain: cancel, ended: make(chan struct{})}
	register(r.Server)
	go func() {
		defer close(r.ended)
		r.err = r.Serve(ctx, l)
	}()
	t.Cleanup(func() {
		cancel()
		r.Close()
		<-r.ended
	})
	if opts.Registrar != nil {
		if _, err := r.Registered(within(t)); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// startDivide serves divide and is listed in the registry.
func startDivide(t testing.TB, registry *discovery.Memory, name string) *running {
	t.Helper()
	return start(t, "", rollcall.ServerOptions{Registrar: registry, ID: name}, func(s *rollcall.Server) {
		rollcall.Handle(s, divide, divideOn(name))
	})
}

// startHolding serves divide and "Hold", and begins a call of "Hold" with a client of
// the server's list. release lets that call end and returns its error.
func startHolding(t testing.TB, opts rollcall.ServerOptions) (s *running, c *rollcall.Client, release func() error) {
	t.Helper()
	hold := rollcall.Method[int, int]{Name: "Hold"}
	begun, end, held := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	registry := new(discovery.Memory)
	opts.Registrar = registry
	s = start(t, "", opts, func(s *rollcall.Server) {
		rollcall.Handle(s, divide, divideOn(opts.ID))
		rollcall.Handle(s, hold, func(ctx context.Context, in *int) (*int, error) {
			close(begun)
			select {
			case <-end:
				return in, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		})
	})
	c = newClient(t, registry, rollcall.ClientOptions{})
	go func() {
		_, err := hold.Call(within(t), c, new(1))
		held <- err
	}()
	<-begun
	return s, c, func() error {
		close(end)
		return <-held
	}
}

// newClient returns a client of the registry's list, closed when the test ends.
func newClient(t testing.TB, resolver discovery.Resolver, opts rollcall.ClientOptions) *rollcall.Client {
	t.Helper()
	opts.Resolver = resolver
	c, err := rollcall.NewClient("memory", meeting.client(opts))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// staticClient returns a client of fixed addresses.
func staticClient(t testing.TB, addr string) *rollcall.Client {
	t.Helper()
	return clientAt(t, addr, rollcall.ClientOptions{})
}

// clientAt is staticClient with options.
func clientAt(t testing.TB, addr string, opts rollcall.ClientOptions) *rollcall.Client {
	t.Helper()
	c, err := rollcall.NewClient("static://"+addr, meeting.client(opts))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// within returns a context that ends when a test has waited far too long.
func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// await waits until ok says so, looking again at each change of the client's
// list.
func await(t testing.TB, c *rollcall.Client, what string, ok func() bool) {
	t.Helper()
	ctx := within(t)
	for {
		changed := c.Changed()
		if ok() {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("%s did not happen; counts: %v", what, c.Snapshot().Counts)
		}
	}
}

// load calls method from several goroutines until stop is called, and returns
// the errors.
func load(c *rollcall.Client, method rollcall.Method[fraction, quotient], callers int) (stop func() (calls int, errs []error)) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	var mu sync.Mutex
	var calls int
	var errs []error
	for range callers {
		wg.Go(func() {
			for ctx.Err() == nil {
				_, err := method.Call(context.Background(), c, &fraction{Num1: 6, Num2: 3})
				mu.Lock()
				calls++
				if err != nil {
					errs = append(errs, err)
				}
				mu.Unlock()
			}
		})
	}
	return func() (int, []error) {
		cancel()
		wg.Wait()
		return calls, errs
	}
}
