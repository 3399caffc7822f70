// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/balancer"
	"github.com/rollcall-rpc/rollcall/discovery"
)

// A clientRecorder keeps what a client's events tell, a line each.
type clientRecorder struct {
	t *testing.T

	mu    sync.Mutex // guards what follows
	lines []string
	calls int
	ends  []rollcall.ClientCallEnd
}

// What the contexts carry: the number of the call, and of its attempt.
type (
	callKey    struct{}
	attemptKey struct{}
)

func (r *clientRecorder) notef(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, fmt.Sprintf(format, args...))
}

// take returns what was noted since the last time.
func (r *clientRecorder) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	lines := r.lines
	r.lines = nil
	return lines
}

// want demands the lines that were noted since the last time.
func (r *clientRecorder) want(t *testing.T, what string, lines ...string) {
	t.Helper()
	if got := r.take(); !slices.Equal(got, lines) {
		t.Errorf("%s:\n got %q\nwant %q", what, got, lines)
	}
}

// calling returns events of calls. Each demands the context of what it is the end of.
func (r *clientRecorder) calling() rollcall.ClientEvents {
	return rollcall.ClientEvents{
		CallBegin: func(ctx context.Context, _ *rollcall.CallInfo) context.Context {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.calls++
			r.lines = append(r.lines, fmt.Sprintf("begin %d", r.calls))
			return context.WithValue(ctx, callKey{}, r.calls)
		},
		CallEnd: func(ctx context.Context, end rollcall.ClientCallEnd) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.ends = append(r.ends, end)
			how := "answered"
			if end.Err != nil {
				how = end.Err.Code.String()
			}
			if end.Call == nil {
				r.t.Errorf("an end without a call: %+v", end)
			}
			r.lines = append(r.lines, fmt.Sprintf("end %v %s", ctx.Value(callKey{}), how))
		},
		AttemptBegin: func(ctx context.Context, a rollcall.AttemptInfo) context.Context {
			if a.Phase != 0 || a.Err != nil || a.Elapsed != 0 || a.Executed != 0 || a.Call == nil || a.Instance.Addr() != a.Addr || a.Instance.Name != a.Attempt.Instance {
				r.t.Errorf("an attempt begins with %+v", a)
			}
			r.notef("attempt of %v on %s, hedge %t", ctx.Value(callKey{}), a.Instance.Host, a.Hedge)
			return context.WithValue(ctx, attemptKey{}, a.Addr)
		},
		AttemptEnd: func(ctx context.Context, a rollcall.AttemptInfo) {
			if ctx.Value(attemptKey{}) != a.Addr {
				r.t.Errorf("the end of the attempt on %s has the context of that on %v", a.Addr, ctx.Value(attemptKey{}))
			}
			text := "answered"
			if a.Err != nil {
				text = fmt.Sprintf("%v: %v", a.Phase, a.Err)
			}
			r.notef("ended on %s after %v, executed %v, %s", a.Instance.Host, a.Elapsed, a.Executed, text)
		},
		RetryDenied: func(ctx context.Context, call *rollcall.CallInfo) {
			r.notef("denied to %v %s", ctx.Value(callKey{}), call.Method)
		},
	}
}

// observedPair runs a test in a bubble with the servers victim and other, of which
// calls prefer the victim, and a client that has seen both and is observed by r.
func observedPair(t *testing.T, tr *trial, opts rollcall.ClientOptions, test func(t *testing.T, c *rollcall.Client, r *clientRecorder, victim *trialServer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		tr.t = t
		r := &clientRecorder{t: t}
		victim, other := tr.serve("victim:1", rollcall.ServerOptions{}), tr.serve("other:1", rollcall.ServerOptions{})
		opts.Balancing.Policy, opts.Events = victimFirst{}, r.calling()
		c := tr.client(opts)
		synctest.Wait()
		test(t, c, r, victim)
		c.Close()
		victim.Close()
		other.Close()
	})
}

// Attempts tell whom they asked, how far they came, what was executed and what they
// met.
func TestAttemptEvents(t *testing.T) {
	for _, tt := range []struct {
		name  string
		death death
		work  func(ctx context.Context, id uint64)
		opts  rollcall.CallOptions
		want  []string
	}{
		{"answered", death{}, nil, rollcall.CallOptions{}, []string{
			"attempt of 1 on victim, hedge false", "ended on victim after 0s, executed yes, answered", "end 1 answered",
		}},
		{"refused", death{refused: true}, nil, rollcall.CallOptions{}, []string{
			"attempt of 1 on victim, hedge false", "ended on victim after 0s, executed no, dial: connection refused by the script",
			"attempt of 1 on other, hedge false", "ended on other after 0s, executed yes, answered", "end 1 answered",
		}},
		{"died", death{server: 20}, nil, rollcall.CallOptions{}, []string{
			"attempt of 1 on victim, hedge false", "ended on victim after 0s, executed maybe, wait: transport: read: memnet: connection reset", "end 1 Unavailable",
		}},
		{"died, idempotent", death{server: 20}, nil, rollcall.CallOptions{Idempotent: true}, []string{
			"attempt of 1 on victim, hedge false", "ended on victim after 0s, executed maybe, wait: transport: read: memnet: connection reset",
			"attempt of 1 on other, hedge false", "ended on other after 0s, executed yes, answered", "end 1 answered",
		}},
		{"a handler's error", death{}, func(context.Context, uint64) { panic("boom") }, rollcall.CallOptions{}, []string{
			"attempt of 1 on victim, hedge false", "ended on victim after 0s, executed yes, reply: Internal (PANIC): the handler panicked", "end 1 Internal",
		}},
		{"time is up", death{}, func(ctx context.Context, _ uint64) { <-ctx.Done(); time.Sleep(time.Second) }, rollcall.CallOptions{Timeout: time.Second}, []string{
			"attempt of 1 on victim, hedge false", "ended on victim after 1s, executed maybe, wait: context deadline exceeded", "end 1 DeadlineExceeded",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tr := newTrial(t)
			tr.next = func(addr string) death {
				if addr == "victim:1" {
					return tt.death
				}
				return death{}
			}
			if tt.work != nil {
				tr.work = tt.work
			}
			observedPair(t, tr, rollcall.ClientOptions{}, func(t *testing.T, c *rollcall.Client, r *clientRecorder, _ *trialServer) {
				_, err := once.CallWith(t.Context(), c, idBody(1), tt.opts)
				r.want(t, fmt.Sprint(err), append([]string{"begin 1"}, tt.want...)...)
			})
		})
	}
}

// The attempts of a hedged call overlap, each with a context of its own.
func TestHedgeEvents(t *testing.T) {
	tr := newTrial(t)
	var slow atomic.Bool
	tr.work = func(ctx context.Context, _ uint64) {
		if slow.Swap(false) {
			<-ctx.Done()
			time.Sleep(time.Second) // the caller has gone
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	observedPair(t, tr, rollcall.ClientOptions{}, func(t *testing.T, c *rollcall.Client, r *clientRecorder, _ *trialServer) {
		opts := rollcall.CallOptions{Idempotent: true, Hedge: true}
		for range 200 {
			if _, err := once.CallWith(t.Context(), c, idBody(1), opts); err != nil {
				t.Fatal(err)
			}
		}
		r.take()
		slow.Store(true)
		if _, err := once.CallWith(t.Context(), c, idBody(1), opts); err != nil {
			t.Fatal(err)
		}
		r.want(t, "hedged", "begin 201", "attempt of 201 on victim, hedge false", "attempt of 201 on other, hedge true",
			"ended on other after 10ms, executed yes, answered", "ended on victim after 20.48576ms, executed maybe, wait: context canceled", "end 201 answered")
	})
}

// A call that is tried no further for want of budget says so, once.
func TestRetryDenied(t *testing.T) {
	tr := newTrial(t)
	tr.next = func(string) death { return death{server: 20} }
	observedPair(t, tr, rollcall.ClientOptions{}, func(t *testing.T, c *rollcall.Client, r *clientRecorder, _ *trialServer) {
		var denied []string
		for range 20 {
			if _, err := once.CallWith(t.Context(), c, idBody(1), rollcall.CallOptions{Idempotent: true}); err == nil {
				t.Fatal("answered")
			}
			denied = append(denied, slices.DeleteFunc(r.take(), func(line string) bool { return !strings.HasPrefix(line, "denied") })...)
		}
		// Ten that are there, and a fifth of the calls: the first three ask both servers
		// twice.
		var want []string
		for call := 4; call <= 20; call++ {
			want = append(want, fmt.Sprintf("denied to %d Once", call))
		}
		if !slices.Equal(denied, want) {
			t.Errorf("got %q, want %q", denied, want)
		}
	})
}

// However a call ends, its end is told once, with the error that the caller gets.
func TestOneEndForEachBegin(t *testing.T) {
	registry := new(discovery.Memory)
	startDivide(t, registry, "a")
	stuck := rollcall.Method[chan int, int]{Name: "Stuck"} // does not encode
	panics := around(func(ctx context.Context, call *rollcall.CallInfo, request any, next rollcall.Handler) (any, error) {
		if call.Metadata["panic"] != "" {
			panic("boom")
		}
		return next(ctx, call, request)
	})
	for _, tt := range []struct {
		name     string
		resolver discovery.Resolver
		closed   bool
		call     func(ctx context.Context, c *rollcall.Client) error
		want     rollcall.Code
	}{
		{"answered", registry, false, func(ctx context.Context, c *rollcall.Client) error {
			_, err := divide.Call(ctx, c, &fraction{Num2: 1})
			return err
		}, 0},
		{"a handler's error", registry, false, func(ctx context.Context, c *rollcall.Client) error {
			_, err := divide.Call(ctx, c, &fraction{})
			return err
		}, rollcall.CodeInvalidArgument},
		{"bad options", registry, false, func(ctx context.Context, c *rollcall.Client) error {
			_, err := divide.CallWith(ctx, c, &fraction{Num2: 1}, rollcall.CallOptions{MaxAttempts: -1})
			return err
		}, rollcall.CodeInvalidArgument},
		{"bad name", registry, false, func(ctx context.Context, c *rollcall.Client) error {
			_, err := c.Invoke(ctx, "", nil, rollcall.CallOptions{})
			return err
		}, rollcall.CodeInvalidArgument},
		{"a request that does not encode", registry, false, func(ctx context.Context, c *rollcall.Client) error {
			_, err := stuck.Call(ctx, c, new(chan int))
			return err
		}, rollcall.CodeInvalidArgument},
		{"a panic", registry, false, func(ctx context.Context, c *rollcall.Client) error {
			_, err := divide.CallWith(ctx, c, &fraction{}, rollcall.CallOptions{Metadata: rollcall.Metadata{"panic": "boom"}})
			return err
		}, rollcall.CodeInternal},
		{"closed", registry, true, func(ctx context.Context, c *rollcall.Client) error {
			_, err := divide.Call(ctx, c, &fraction{Num2: 1})
			return err
		}, rollcall.CodeCanceled},
		{"nobody", new(discovery.Memory), false, func(ctx context.Context, c *rollcall.Client) error {
			_, err := c.Invoke(ctx, divide.Name, nil, rollcall.CallOptions{})
			return err
		}, rollcall.CodeUnavailable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := &clientRecorder{t: t}
			events := r.calling()
			events.AttemptBegin, events.AttemptEnd = nil, nil
			seen := 0
			c := newClient(t, tt.resolver, rollcall.ClientOptions{Events: events, Interceptors: []rollcall.Interceptor{
				around(func(ctx context.Context, call *rollcall.CallInfo, request any, next rollcall.Handler) (any, error) {
					seen, _ = ctx.Value(callKey{}).(int)
					return next(ctx, call, request)
				}), panics,
			}})
			if tt.closed {
				c.Close()
			}
			err := tt.call(within(t), c)
			if rollcall.CodeOf(err) != tt.want {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			how := "answered"
			if tt.want != 0 {
				how = tt.want.String()
			}
			r.want(t, tt.name, "begin 1", "end 1 "+how)
			if seen != 1 {
				t.Errorf("the interceptors saw the call %d, want 1", seen)
			}
			var e *rollcall.Error
			if errors.As(err, &e); r.ends[0].Err != e || r.ends[0].Code != rollcall.CodeOf(err) || r.ends[0].Report().Target != "memory" || (err == nil) != (r.ends[0].ReplySize > 0) {
				t.Errorf("the end was told as %+v, the error is %v", r.ends[0], err)
			}
			if e != nil && e.Report != nil && r.ends[0].Report().Answered.ID != e.Report.Answered.ID {
				t.Errorf("the end names %q, the error %q", r.ends[0].Report().Answered.ID, e.Report.Answered.ID)
			}
		})
	}
}

// Every list is told, and what becomes of each instance: it comes, is set aside,
// comes back, drains, leaves, and is forgotten.
func TestListAndInstanceEvents(t *testing.T) {
	tr := newTrial(t)
	refused := false
	tr.next = func(string) death { return death{refused: refused} }
	synctest.Test(t, func(t *testing.T) {
		tr.t = t
		r := &clientRecorder{t: t}
		c := tr.client(rollcall.ClientOptions{
			Balancing: balancer.Options{Policy: victimFirst{}, Rand: func() float64 { return 1 }},
			Events: rollcall.ClientEvents{
				ListChanged: func(u discovery.Update) { r.notef("list of %d, %v", len(u.Instances), u.Source) },
				InstanceChanged: func(c rollcall.InstanceChange) {
					r.notef("%s %v > %v %v", c.Instance.Host, c.From, c.To, c.Cause)
				},
			},
		})
		synctest.Wait()
		r.want(t, "nobody", "list of 0, live")
		victim := tr.serve("victim:1", rollcall.ServerOptions{})
		synctest.Wait()
		r.want(t, "come", "list of 1, live", "victim unknown > usable <nil>")

		tr.mu.Lock()
		refused = true
		tr.mu.Unlock()
		if _, err := once.Call(t.Context(), c, idBody(1)); err == nil {
			t.Fatal("answered")
		}
		synctest.Wait()
		r.want(t, "refused", "victim usable > set aside <nil>")
		tr.mu.Lock()
		refused = false
		tr.mu.Unlock()
		time.Sleep(time.Second) // it is probed
		r.want(t, "back", "victim set aside > usable <nil>")

		other := tr.serve("other:1", rollcall.ServerOptions{})
		synctest.Wait()
		r.want(t, "another", "list of 2, live", "other unknown > usable <nil>")
		victim.drain()
		<-victim.ended
		synctest.Wait()
		// Which of list and GOAWAY comes first is not said.
		var states []string
		for _, line := range r.take() {
			if change, ok := strings.CutPrefix(line, "victim "); ok {
				states = append(states, strings.TrimSuffix(change, " <nil>"))
			}
		}
		if n := len(states); n < 2 || states[n-1] != "leaving > unknown" || !strings.HasPrefix(states[0], "usable > ") {
			t.Errorf("drained: got %q, want from usable to leaving and unknown", states)
		}
		c.Close()
		victim.Close()
		other.Close()
	})
}

// Events that are joined are all told, each with the contexts of both, and a nil
// function or a nil context is nobody's loss.
func TestTeeClientEvents(t *testing.T) {
	type key string
	registry := new(discovery.Memory)
	startDivide(t, registry, "a")
	for _, tt := range []struct {
		name string
		tee  func(a, b, none rollcall.ClientEvents) rollcall.ClientEvents
		want string
	}{
		{"both", func(a, b, _ rollcall.ClientEvents) rollcall.ClientEvents { return rollcall.TeeClientEvents(a, b) }, "ab"},
		{"the other way round", func(a, b, _ rollcall.ClientEvents) rollcall.ClientEvents { return rollcall.TeeClientEvents(b, a) }, "ba"},
		{"the first alone", func(a, _, none rollcall.ClientEvents) rollcall.ClientEvents { return rollcall.TeeClientEvents(a, none) }, "a"},
		{"the second alone", func(_, b, none rollcall.ClientEvents) rollcall.ClientEvents { return rollcall.TeeClientEvents(none, b) }, "b"},
		{"three", func(a, b, none rollcall.ClientEvents) rollcall.ClientEvents {
			return rollcall.TeeClientEvents(a, rollcall.TeeClientEvents(rollcall.TeeClientEvents(none, b), a))
		}, "aba"},
		{"nobody", func(_, _, none rollcall.ClientEvents) rollcall.ClientEvents {
			return rollcall.TeeClientEvents(none, none)
		}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var mu sync.Mutex
			told := map[string]string{}
			note := func(what, who string) {
				mu.Lock()
				defer mu.Unlock()
				told[what] += who
			}
			// Those of b return no context of their own.
			events := func(who string) rollcall.ClientEvents {
				own := func(ctx context.Context, event string) context.Context {
					if who == "b" {
						return nil
					}
					return context.WithValue(ctx, key(event), true)
				}
				ends := func(ctx context.Context, event string) {
					if strings.Contains(tt.want, "a") && ctx.Value(key(event)) != true {
						t.Errorf("%s of %s without the context of a", event, who)
					}
				}
				return rollcall.ClientEvents{
					CallBegin: func(ctx context.Context, _ *rollcall.CallInfo) context.Context {
						note("call", who)
						return own(ctx, "call")
					},
					CallEnd: func(ctx context.Context, _ rollcall.ClientCallEnd) { note("end", who); ends(ctx, "call") },
					AttemptBegin: func(ctx context.Context, _ rollcall.AttemptInfo) context.Context {
						note("attempt", who)
						return own(ctx, "attempt")
					},
					AttemptEnd: func(ctx context.Context, _ rollcall.AttemptInfo) {
						note("attempt end", who)
						ends(ctx, "attempt")
						ends(ctx, "call")
					},
					RetryDenied:     func(context.Context, *rollcall.CallInfo) { note("denied", who) },
					ListChanged:     func(discovery.Update) { note("list", who) },
					InstanceChanged: func(rollcall.InstanceChange) { note("instance", who) },
				}
			}
			joined := tt.tee(events("a"), events("b"), rollcall.ClientEvents{})
			if tt.want == "" {
				if joined.CallBegin != nil || joined.CallEnd != nil || joined.AttemptBegin != nil || joined.AttemptEnd != nil ||
					joined.RetryDenied != nil || joined.ListChanged != nil || joined.InstanceChanged != nil {
					t.Error("nobody is told, and it costs something")
				}
				return
			}
			c := newClient(t, registry, rollcall.ClientOptions{Events: joined})
			if _, err := divide.Call(within(t), c, &fraction{Num2: 1}); err != nil {
				t.Fatal(err)
			}
			joined.RetryDenied(t.Context(), nil)
			c.Close()
			for _, what := range []string{"call", "end", "attempt", "attempt end", "denied", "list", "instance"} {
				if told[what] != tt.want {
					t.Errorf("%s: told %q, want %q", what, told[what], tt.want)
				}
			}
		})
	}
}
