// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/balancer"
	"github.com/rollcall-rpc/rollcall/discovery"
)

func TestBothServersAnswer(t *testing.T) {
	registry := new(discovery.Memory)
	startDivide(t, registry, "a")
	startDivide(t, registry, "b")
	for _, policy := range []balancer.Policy{balancer.Random, balancer.RoundRobin} {
		c := newClient(t, registry, rollcall.ClientOptions{Balancing: balancer.Options{Policy: policy}})
		seen := map[string]int{}
		for range 100 {
			q, err := divide.Call(within(t), c, &fraction{Num1: 1, Num2: 1})
			if err != nil {
				t.Fatal(err)
			}
			seen[q.Server]++
		}
		if seen["a"] == 0 || seen["b"] == 0 {
			t.Errorf("%s: %v", policy.Name(), seen)
		}
		// Not each half to the call: one does not wait for a dial that is slow.
		if policy == balancer.RoundRobin && min(seen["a"], seen["b"]) < 40 {
			t.Errorf("round_robin: %v, want about 50 each", seen)
		}
	}
}

func TestServerThatJoinsIsCalled(t *testing.T) {
	registry := new(discovery.Memory)
	startDivide(t, registry, "a")
	c := newClient(t, registry, rollcall.ClientOptions{Balancing: balancer.Options{Policy: balancer.RoundRobin}})
	if _, err := divide.Call(within(t), c, &fraction{Num2: 1}); err != nil {
		t.Fatal(err)
	}
	startDivide(t, registry, "b")
	await(t, c, "the join", func() bool { return c.Snapshot().Counts.Usable == 2 })
	for range 20 { // where its dial is slow they go to the other one meanwhile
		q, err := divide.Call(within(t), c, &fraction{Num2: 1})
		if err != nil {
			t.Fatal(err)
		}
		if q.Server == "b" {
			return
		}
	}
	t.Error("the server that joined was not called")
}

// A server that stops without a word costs no idempotent call: connections are
// reset with calls on them, new ones are refused, and its entry stays.
func TestServerThatDiesFailsNoCall(t *testing.T) {
	registry := new(discovery.Memory)
	victim := startDivide(t, registry, "victim")
	startDivide(t, registry, "other")
	registry.Set(instances(t, registry))
	c := newClient(t, registry, rollcall.ClientOptions{})
	stop := load(c, divide, 8)
	await(t, c, "both usable", func() bool { return c.Snapshot().Counts.Usable == 2 })
	awaitCalls(t, c, "victim")
	// The entries stay: the list is the one the test has set.
	list := instances(t, registry)
	victim.Close()
	registry.Set(list)
	await(t, c, "the victim set aside", func() bool { return c.Snapshot().Counts.SetAside == 1 })
	calls, errs := stop()
	if len(errs) > 0 {
		t.Errorf("%d of %d calls failed, the first: %v", len(errs), calls, errs[0])
	}
}

// instances returns the registry's present list.
func instances(t testing.TB, registry *discovery.Memory) []discovery.Instance {
	t.Helper()
	ctx, cancel := context.WithCancel(within(t))
	var list []discovery.Instance
	registry.Watch(ctx, func(u discovery.Update) { //nolint:errcheck // what comes of it is looked at elsewhere
		list = u.Instances
		cancel()
	})
	return list
}

// awaitCalls calls until the server of that name has answered.
func awaitCalls(t testing.TB, c *rollcall.Client, server string) {
	t.Helper()
	for range 1000 {
		q, err := divide.Call(within(t), c, &fraction{Num2: 1})
		if err != nil {
			t.Fatal(err)
		}
		if q.Server == server {
			return
		}
	}
	t.Fatalf("%s never answered", server)
}

// A drain costs no call, not even of a method that may not run twice: what the
// server does not take it surely has not begun.
func TestDrainFailsNoCall(t *testing.T) {
	tests := []struct {
		name       string
		idempotent bool
		delay      time.Duration
	}{
		{"idempotent", true, 0},
		{"not idempotent", false, 0},
		{"not idempotent, without a delay", false, -1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			registry := new(discovery.Memory)
			leaver := start(t, "", rollcall.ServerOptions{Registrar: registry, ID: "leaver", DrainDelay: tt.delay}, func(s *rollcall.Server) {
				rollcall.Handle(s, divide, divideOn("leaver"))
			})
			startDivide(t, registry, "stayer")
			c := newClient(t, registry, rollcall.ClientOptions{})
			method := divide
			method.Idempotent = tt.idempotent
			stop := load(c, method, 8)
			awaitCalls(t, c, "leaver")
			leaver.drain()
			<-leaver.ended
			if leaver.err != nil {
				t.Errorf("Serve returned %v after a drain, want nil", leaver.err)
			}
			await(t, c, "the leave", func() bool { return c.Snapshot().Counts.Listed == 1 })
			calls, errs := stop()
			if len(errs) > 0 {
				t.Errorf("%d of %d calls failed, the first: %v", len(errs), calls, errs[0])
			}
		})
	}
}

// A method that is not idempotent runs at most once for each call, whatever
// dies; what may have run fails as perhaps executed.
func TestNothingRunsTwice(t *testing.T) {
	var runs [2]atomic.Int64
	begun := make(chan int, 1)
	m := rollcall.Method[int, int]{Name: "Once"}
	registry := new(discovery.Memory)
	var servers [2]*running
	for i := range servers {
		servers[i] = start(t, "", rollcall.ServerOptions{Registrar: registry, ID: strconv.Itoa(i)}, func(s *rollcall.Server) {
			rollcall.Handle(s, m, func(ctx context.Context, in *int) (*int, error) {
				runs[i].Add(1)
				begun <- i
				<-ctx.Done()
				return in, nil
			})
		})
	}
	c := newClient(t, registry, rollcall.ClientOptions{})
	await(t, c, "both usable", func() bool { return c.Snapshot().Counts.Usable == 2 })
	result := make(chan error, 1)
	go func() {
		_, err := m.Call(within(t), c, new(7))
		result <- err
	}()
	servers[<-begun].Close()
	var e *rollcall.Error
	err := <-result
	if !errors.As(err, &e) {
		t.Fatalf("got %v", err)
	}
	if e.Executed == rollcall.ExecutedNo {
		t.Errorf("executed: no, but the handler was begun: %v", err)
	}
	if n := runs[0].Load() + runs[1].Load(); n != 1 {
		t.Errorf("the handler ran %d times", n)
	}
}

// A handler that answers that it is unavailable costs no call of an idempotent
// method while another one answers; what it says reaches the caller otherwise.
func TestUnavailableHandler(t *testing.T) {
	registry := new(discovery.Memory)
	unavailable := func(context.Context, *fraction) (*quotient, error) {
		return nil, rollcall.Errorf(rollcall.CodeUnavailable, "BROKEN", "no database")
	}
	start(t, "", rollcall.ServerOptions{Registrar: registry, ID: "broken"}, func(s *rollcall.Server) { rollcall.Handle(s, divide, unavailable) })
	startDivide(t, registry, "well")
	for _, idempotent := range []bool{true, false} {
		c := newClient(t, registry, rollcall.ClientOptions{Balancing: balancer.Options{Policy: balancer.RoundRobin}})
		await(t, c, "both usable", func() bool { return c.Snapshot().Counts.Usable == 2 })
		method := divide
		method.Idempotent = idempotent
		failed := 0
		for range 4 {
			_, err := method.Call(within(t), c, &fraction{Num2: 1})
			var e *rollcall.Error
			switch {
			case err == nil:
			case errors.As(err, &e) && e.Reason == "BROKEN" && e.Executed == rollcall.ExecutedYes:
				failed++
			default:
				t.Errorf("idempotent %v: got %v", idempotent, err)
			}
		}
		if idempotent != (failed == 0) {
			t.Errorf("idempotent %v: %d calls failed", idempotent, failed)
		}
		_, err := method.CallWith(within(t), c, &fraction{Num2: 1}, rollcall.CallOptions{Instance: instances(t, registry)[0].Addr()})
		var e *rollcall.Error
		if !errors.As(err, &e) || e.Reason != "BROKEN" || e.Executed != rollcall.ExecutedYes {
			t.Errorf("idempotent %v, nobody else may be asked: got %v", idempotent, err)
		}
	}
}

// A server at a recycled address answers for nobody else.
func TestRecycledAddressIsNotCalled(t *testing.T) {
	registry := new(discovery.Memory)
	right := startDivide(t, registry, "right")
	wrong := start(t, "", rollcall.ServerOptions{ID: "wrong", Registrar: new(discovery.Memory)}, func(s *rollcall.Server) {
		rollcall.Handle(s, divide, divideOn("wrong"))
	})
	list := instances(t, registry)
	stale := list[0]
	stale.ID, stale.Name, stale.Revision = "gone", "server0000000099", 99
	stale.Port = portOf(t, wrong.addr)
	registry.Set(append(list[:1:1], stale))
	c := newClient(t, registry, rollcall.ClientOptions{Balancing: balancer.Options{Policy: balancer.RoundRobin}})
	for range 20 {
		q, err := divide.Call(within(t), c, &fraction{Num2: 1})
		if err != nil {
			t.Fatal(err)
		}
		if q.Server != "right" {
			t.Fatalf("%s answered, want %s", q.Server, right.addr)
		}
	}
}

func portOf(t testing.TB, addr string) int {
	t.Helper()
	tcp, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return tcp.Port
}

// A wiped registry shows an empty list; the calls go on.
func TestEmptyListEmptiesNoClient(t *testing.T) {
	registry := new(discovery.Memory)
	startDivide(t, registry, "a")
	c := newClient(t, registry, rollcall.ClientOptions{})
	if err := c.Ready(within(t)); err != nil {
		t.Fatal(err)
	}
	registry.Set(nil)
	await(t, c, "the empty list", func() bool { return c.Snapshot().Counts.Listed == 0 })
	if _, err := divide.Call(within(t), c, &fraction{Num2: 1}); err != nil {
		t.Error(err)
	}
}

// A server that was restarted on its address is called again, also by a call
// that finds the old connection dead and nobody else to ask.
func TestRestartOnTheSameAddress(t *testing.T) {
	first := start(t, "", rollcall.ServerOptions{}, func(s *rollcall.Server) { rollcall.Handle(s, divide, divideOn("first")) })
	c := staticClient(t, first.addr)
	if _, err := divide.Call(within(t), c, &fraction{Num2: 1}); err != nil {
		t.Fatal(err)
	}
	first.Close()
	start(t, first.addr, rollcall.ServerOptions{}, func(s *rollcall.Server) { rollcall.Handle(s, divide, divideOn("second")) })
	q, err := divide.Call(within(t), c, &fraction{Num2: 1})
	if err != nil {
		t.Fatal(err)
	}
	if q.Server != "second" {
		t.Errorf("answered by %s", q.Server)
	}
}

func TestNobodyToCall(t *testing.T) {
	nobody := freeAddr(t)
	tests := []struct {
		name     string
		resolver discovery.Resolver
		reason   string
		says     []string
	}{
		{"empty list", new(discovery.Memory), rollcall.ReasonNoInstance, []string{"no instance to call", "live list", "0 listed"}},
		{"refused", must(discovery.NewStatic([]string{nobody})), rollcall.ReasonConnection, []string{nobody, "dial", "refused"}},
		{"registry down", downResolver{}, rollcall.ReasonRegistryUnreachable, []string{"no list", "registry is down"}},
		{"foreign protocol", listOf(discovery.Instance{Name: "x", Host: "127.0.0.1", Port: 1, Weight: 1, Protocols: []string{"thrift"}}), rollcall.ReasonNoInstance, []string{"1 unsupported"}},
		{"weight 0", listOf(discovery.Instance{Name: "x", Host: "127.0.0.1", Port: 1, Protocols: []string{rollcall.ProtocolName}}), rollcall.ReasonNoInstance, []string{"1 disabled"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newClient(t, tt.resolver, rollcall.ClientOptions{DefaultProtocol: rollcall.ProtocolName})
			_, err := divide.Call(within(t), c, &fraction{Num2: 1})
			var e *rollcall.Error
			if !errors.As(err, &e) || e.Code != rollcall.CodeUnavailable || e.Reason != tt.reason || e.Executed != rollcall.ExecutedNo {
				t.Fatalf("got %v, want Unavailable %s, not executed", err, tt.reason)
			}
			for _, s := range append(tt.says, "Divide/Divide", "memory") {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("the error does not say %q: %v", s, err)
				}
			}
		})
	}
}

func freeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func listOf(list ...discovery.Instance) *discovery.Memory {
	m := new(discovery.Memory)
	m.Set(list)
	return m
}

// downResolver is a registry that has never answered.
type downResolver struct{}

func (downResolver) Watch(ctx context.Context, deliver func(discovery.Update)) error {
	deliver(discovery.Update{Source: discovery.SourceNone, Err: errors.New("the registry is down")})
	<-ctx.Done()
	return ctx.Err()
}

func TestWaitForReady(t *testing.T) {
	registry := new(discovery.Memory)
	c := newClient(t, registry, rollcall.ClientOptions{})
	result := make(chan error, 1)
	go func() {
		_, err := divide.CallWith(within(t), c, &fraction{Num2: 1}, rollcall.CallOptions{WaitForReady: true})
		result <- err
	}()
	startDivide(t, registry, "late")
	if err := <-result; err != nil {
		t.Error(err)
	}
}

func TestCallOfOneInstance(t *testing.T) {
	registry := new(discovery.Memory)
	startDivide(t, registry, "a")
	b := startDivide(t, registry, "b")
	c := newClient(t, registry, rollcall.ClientOptions{})
	for range 10 {
		q, err := divide.CallWith(within(t), c, &fraction{Num2: 1}, rollcall.CallOptions{Instance: b.addr, WaitForReady: true})
		if err != nil {
			t.Fatal(err)
		}
		if q.Server != "b" {
			t.Errorf("%s answered", q.Server)
		}
	}
	_, err := divide.CallWith(within(t), c, &fraction{Num2: 1}, rollcall.CallOptions{Instance: "10.0.0.1:1"})
	if err == nil || !strings.Contains(err.Error(), `no instance "10.0.0.1:1" in the list`) {
		t.Errorf("got %v", err)
	}
}

func TestClosedClient(t *testing.T) {
	registry := new(discovery.Memory)
	startDivide(t, registry, "a")
	c := newClient(t, registry, rollcall.ClientOptions{})
	if err := c.Ready(within(t)); err != nil {
		t.Fatal(err)
	}
	c.Close()
	_, err := divide.Call(within(t), c, &fraction{Num2: 1})
	var e *rollcall.Error
	if !errors.As(err, &e) || e.Code != rollcall.CodeCanceled || e.Reason != rollcall.ReasonClosed || e.Executed != rollcall.ExecutedNo {
		t.Errorf("got %v, want Canceled CLOSED", err)
	}
	if err := c.Close(); err != nil {
		t.Errorf("closing twice: %v", err)
	}
}

func TestBadClientOptions(t *testing.T) {
	for target, says := range map[string]string{
		"":                       "scheme",
		"http://x:1/rpc":         "scheme",
		"zk://127.0.0.1/rpc":     "host:port",
		"zk://127.0.0.1:99999/x": "port",
		"zk://127.0.0.1:2181":    "path",
		"static://":              "host",
	} {
		if _, err := rollcall.NewClient(target, rollcall.ClientOptions{}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: got %v, want an error that says %q", target, err, says)
		}
	}
	if _, err := rollcall.NewClient("static://x:1", rollcall.ClientOptions{DefaultProtocol: "thrift"}); err == nil || !strings.Contains(err.Error(), "thrift") {
		t.Errorf("got %v", err)
	}
	if _, err := rollcall.NewClient("static://x:1", rollcall.ClientOptions{Dialects: []rollcall.Dialect{{}}}); err == nil {
		t.Error("an empty dialect was accepted")
	}
}
