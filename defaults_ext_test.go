// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"context"
	"errors"
	"maps"
	"net"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/discovery"
)

// A countingCaller fails every call as perhaps executed, after it has noted how the
// call was made.
type countingCaller struct{ seen *[]seenCall }

// A seenCall is what a call's options have come to.
type seenCall struct {
	method   string
	metadata rollcall.Metadata
	left     time.Duration // until the deadline; 0: none
}

func (c countingCaller) Call(ctx context.Context, r rollcall.Request) (rollcall.Reply, error) {
	call := seenCall{method: r.Method, metadata: maps.Clone(r.Metadata)}
	if deadline, ok := ctx.Deadline(); ok {
		call.left = time.Until(deadline)
	}
	*c.seen = append(*c.seen, call)
	if r.Method == "Hang" {
		<-ctx.Done()
		return rollcall.Reply{}, ctx.Err()
	}
	return rollcall.Reply{}, &rollcall.Error{Code: rollcall.CodeUnavailable, Executed: rollcall.ExecutedMaybe}
}

func (countingCaller) Close() error { return nil }

// countingClient returns a client of three instances whose calls all fail, and are
// noted. Call it in a bubble.
func countingClient(t *testing.T, opts rollcall.ClientOptions) (*rollcall.Client, *[]seenCall) {
	t.Helper()
	seen := new([]seenCall)
	var list []discovery.Instance
	for i := range 3 {
		in := slowInstance
		in.Name, in.ID, in.Port = strconv.Itoa(i), strconv.Itoa(i), i+1
		list = append(list, in)
	}
	opts.Resolver, opts.Dial = listOf(list...), pipe
	opts.Dialects = []rollcall.Dialect{{Protocol: "slow", Dial: func(context.Context, discovery.Instance, net.Conn) (rollcall.Caller, error) {
		return countingCaller{seen}, nil
	}}}
	c, err := rollcall.NewClient("memory", opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	synctest.Wait()
	return c, seen
}

// Each default counts where nothing goes before it.
func TestDefaults(t *testing.T) {
	plain := rollcall.Method[[]byte, []byte]{Name: "Shop/Buy"}
	for _, tt := range []struct {
		name     string
		defaults rollcall.CallOptions
		method   string
		check    func(err error, calls []seenCall) bool
	}{
		{"nothing", rollcall.CallOptions{}, "Shop/Buy", func(_ error, calls []seenCall) bool {
			return len(calls) == 1 && calls[0].left == 0 && calls[0].metadata == nil
		}},
		{"Timeout", rollcall.CallOptions{Timeout: time.Second}, "Shop/Buy", func(_ error, calls []seenCall) bool { return calls[0].left == time.Second }},
		{"AttemptTimeout", rollcall.CallOptions{AttemptTimeout: time.Second}, "Shop/Buy", func(_ error, calls []seenCall) bool { return calls[0].left == time.Second }},
		{"Metadata", rollcall.CallOptions{Metadata: rollcall.Metadata{"k": "v"}}, "Shop/Buy", func(_ error, calls []seenCall) bool { return calls[0].metadata["k"] == "v" }},
		{"Idempotent", rollcall.CallOptions{Idempotent: true, MaxAttempts: 3}, "Shop/Buy", func(_ error, calls []seenCall) bool { return len(calls) == 3 }},
		{"MaxAttempts", rollcall.CallOptions{Idempotent: true, MaxAttempts: 2}, "Shop/Buy", func(_ error, calls []seenCall) bool { return len(calls) == 2 }},
		{"WaitForReady", rollcall.CallOptions{Idempotent: true, WaitForReady: true, Timeout: time.Minute}, "Shop/Buy", func(err error, _ []seenCall) bool {
			return errors.Is(err, context.DeadlineExceeded)
		}},
	} {
		for _, invoke := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				c, seen := countingClient(t, rollcall.ClientOptions{Defaults: tt.defaults})
				var err error
				if invoke {
					_, err = c.Invoke(t.Context(), tt.method, nil, rollcall.CallOptions{})
				} else {
					_, err = plain.Call(t.Context(), c, new([]byte))
				}
				if err == nil || len(*seen) == 0 || !tt.check(err, *seen) {
					t.Errorf("%s, invoked %t: %v, %+v", tt.name, invoke, err, *seen)
				}
			})
		}
	}
}

// Hedge is a default as others are. That a call hedges shows where its first attempt
// hangs after many that were answered.
func TestHedgeByDefault(t *testing.T) {
	for hedge, want := range map[bool]int{false: 1, true: 2} {
		tr := newTrial(t)
		var hang bool
		tr.work = func(ctx context.Context, _ uint64) {
			if hang {
				<-ctx.Done()
				time.Sleep(time.Second) // the caller has gone
			}
		}
		synctest.Test(t, func(t *testing.T) {
			tr.t = t
			a, b := tr.serve("a:1", rollcall.ServerOptions{}), tr.serve("b:1", rollcall.ServerOptions{})
			c := tr.client(rollcall.ClientOptions{Defaults: rollcall.CallOptions{Hedge: hedge, Idempotent: true, Timeout: time.Second}})
			for range 200 {
				if _, err := once.Call(t.Context(), c, idBody(1)); err != nil {
					t.Fatal(err)
				}
			}
			hang = true
			_, err := once.Call(t.Context(), c, idBody(1))
			if got := attemptsOf(t, err); got != want {
				t.Errorf("hedge %t: %d attempts, want %d: %v", hedge, got, want, err)
			}
			c.Close()
			a.Close()
			b.Close()
		})
	}
}

// What a call says goes before what its method has at the client, this before its
// service, this before the Method itself, and the client's defaults come last.
func TestDefaultsInOrder(t *testing.T) {
	seconds := func(n int) rollcall.CallOptions { return rollcall.CallOptions{Timeout: time.Duration(n) * time.Second} }
	for _, tt := range []struct {
		name            string
		call            rollcall.CallOptions
		methods         map[string]rollcall.CallOptions
		method          time.Duration
		want, ofInvoked time.Duration
	}{
		{"all of them", seconds(1), map[string]rollcall.CallOptions{"Shop/Buy": seconds(2), "Shop/*": seconds(3)}, 4 * time.Second, time.Second, time.Second},
		{"the method at the client", seconds(0), map[string]rollcall.CallOptions{"Shop/Buy": seconds(2), "Shop/*": seconds(3)}, 4 * time.Second, 2 * time.Second, 2 * time.Second},
		{"its service", seconds(0), map[string]rollcall.CallOptions{"Shop/Sell": seconds(2), "Shop/*": seconds(3)}, 4 * time.Second, 3 * time.Second, 3 * time.Second},
		{"the Method", seconds(0), map[string]rollcall.CallOptions{"Shop/Sell": seconds(2), "Shopping/*": seconds(3), "Sho/*": seconds(3)}, 4 * time.Second, 4 * time.Second, 5 * time.Second},
		{"the defaults", seconds(0), nil, 0, 5 * time.Second, 5 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			c, seen := countingClient(t, rollcall.ClientOptions{Methods: tt.methods, Defaults: seconds(5)})
			buy := rollcall.Method[[]byte, []byte]{Name: "Shop/Buy", Timeout: tt.method}
			if _, err := buy.CallWith(t.Context(), c, new([]byte), tt.call); err == nil {
				t.Error("answered")
			}
			if _, err := c.Invoke(t.Context(), "Shop/Buy", nil, tt.call); err == nil {
				t.Error("answered")
			}
			for i, want := range []time.Duration{tt.want, tt.ofInvoked} {
				if got := (*seen)[i].left; got != want {
					t.Errorf("%s, invoked %t: bounded by %v, want %v", tt.name, i == 1, got, want)
				}
			}
		})
	}
}

// Metadata is joined key by key, in the same order, and what the user does to a map
// afterwards does not matter, nor is it changed itself.
func TestDefaultMetadata(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := rollcall.Metadata{"all": "all", "service": "all", "method": "all", "call": "all"}
		ofService := rollcall.Metadata{"service": "service", "method": "service", "call": "service"}
		ofMethod := rollcall.Metadata{"method": "method", "call": "method"}
		ofCall := rollcall.Metadata{"call": "call"}
		methods := map[string]rollcall.CallOptions{"Shop/*": {Metadata: ofService}, "Shop/Buy": {Metadata: ofMethod}}
		c, seen := countingClient(t, rollcall.ClientOptions{Defaults: rollcall.CallOptions{Metadata: all}, Methods: methods, Interceptors: []rollcall.Interceptor{
			around(func(ctx context.Context, call *rollcall.CallInfo, request any, next rollcall.Handler) (any, error) {
				call.SetMetadata("set", "by the interceptor")
				return next(ctx, call, request)
			}),
		}})
		given := []rollcall.Metadata{all, ofService, ofMethod}
		for _, m := range given {
			m["changed"] = "afterwards"
		}
		delete(methods, "Shop/Buy")
		for range 2 {
			if _, err := c.Invoke(t.Context(), "Shop/Buy", nil, rollcall.CallOptions{Metadata: ofCall}); err == nil {
				t.Error("answered")
			}
		}
		want := rollcall.Metadata{"all": "all", "service": "service", "method": "method", "call": "call", "set": "by the interceptor"}
		for _, call := range *seen {
			if !maps.Equal(call.metadata, want) {
				t.Errorf("got %v, want %v", call.metadata, want)
			}
		}
		for _, m := range append(given, ofCall) {
			if m["set"] != "" {
				t.Errorf("a map was written into: %v", m)
			}
		}
		// Where the call says nothing, the client's map is not the call's.
		if _, err := c.Invoke(t.Context(), "Other", nil, rollcall.CallOptions{}); err == nil {
			t.Error("answered")
		}
		if _, err := c.Invoke(t.Context(), "Other", nil, rollcall.CallOptions{}); err == nil || all["set"] != "" {
			t.Errorf("%v; the map: %v", err, all)
		}
	})
}

// Options that cannot be a default, and names that are none, are errors.
func TestBadDefaults(t *testing.T) {
	var report rollcall.Report
	for says, opts := range map[string]rollcall.ClientOptions{
		"ClientOptions.Defaults.Codec belongs to one call":                     {Defaults: rollcall.CallOptions{Codec: 1}},
		"ClientOptions.Defaults.Hash belongs to one call":                      {Defaults: rollcall.CallOptions{Hash: 1}},
		"ClientOptions.Defaults.Instance belongs to one call":                  {Defaults: rollcall.CallOptions{Instance: "a:1"}},
		"ClientOptions.Defaults.ReplyBuffer belongs to one call":               {Defaults: rollcall.CallOptions{ReplyBuffer: []byte{}}},
		`ClientOptions.Methods["Shop/Buy"].Report belongs to one call`:         {Methods: map[string]rollcall.CallOptions{"Shop/Buy": {Report: &report}}},
		"ClientOptions.Defaults.Timeout -1ns: give a positive duration":        {Defaults: rollcall.CallOptions{Timeout: -1}},
		`ClientOptions.Methods["Shop/*"].MaxAttempts -1: give 1 or more`:       {Methods: map[string]rollcall.CallOptions{"Shop/*": {MaxAttempts: -1}}},
		`ClientOptions.Methods["*"]: give the name of a method`:                {Methods: map[string]rollcall.CallOptions{"*": {}}},
		`ClientOptions.Methods["/*"]: give the name of a method`:               {Methods: map[string]rollcall.CallOptions{"/*": {}}},
		`ClientOptions.Methods["Sh*/*"]: give the name of a method`:            {Methods: map[string]rollcall.CallOptions{"Sh*/*": {}}},
		`ClientOptions.Methods["Shop/B*"]: give the name of a method`:          {Methods: map[string]rollcall.CallOptions{"Shop/B*": {}}},
		`ClientOptions.Methods[""]: give the name of a method, or "Service/*"`: {Methods: map[string]rollcall.CallOptions{"": {}}},
	} {
		if _, err := rollcall.NewClient("static://a:1", opts); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want an error that says %q", err, says)
		}
	}
}
