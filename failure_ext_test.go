// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/balancer"
	"github.com/rollcall-rpc/rollcall/rollcalltest"
)

// A failure is what a handler of fail does: it fails after a while, with that code.
type failure struct {
	After    time.Duration
	Code     rollcall.Code
	PassedOn bool
}

var fail = rollcall.Method[failure, string]{Name: "Fail"}

// startFailing serves fail, with n servers in memory, and returns a client of theirs
// that is connected.
func startFailing(t *testing.T, n int, opts rollcall.ClientOptions) *rollcall.Client {
	t.Helper()
	s := rollcalltest.NewService(t)
	for range n {
		s.Serve(rollcall.ServerOptions{}, func(s *rollcall.Server) {
			rollcall.Handle(s, fail, func(ctx context.Context, f *failure) (*string, error) {
				select {
				case <-time.After(f.After):
				case <-ctx.Done():
					time.Sleep(time.Second) // the caller has gone
				}
				return nil, &rollcall.Error{Code: f.Code, PassedOn: f.PassedOn, Message: "as told"}
			})
		})
	}
	c := s.Client(opts)
	synctest.Wait() // it has the list
	if err := c.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

// Both the cause of the caller's context and what the context itself says are found
// in the error, also where the server was a moment faster to notice that the time is
// up: the client then waits that moment, and no longer.
func TestCauseOfTheContextIsFound(t *testing.T) {
	const timeout = 100 * time.Millisecond
	errOwn := errors.New("the page is not waited for any longer")
	deadline := func(ctx context.Context) (context.Context, context.CancelFunc) {
		return context.WithTimeoutCause(ctx, timeout, errOwn)
	}
	cancelled := func(ctx context.Context) (context.Context, context.CancelFunc) {
		ctx, cancel := context.WithCancelCause(ctx)
		timer := time.AfterFunc(timeout, func() { cancel(errOwn) })
		return ctx, func() { timer.Stop(); cancel(nil) }
	}
	for _, tt := range []struct {
		name    string
		ctx     func(context.Context) (context.Context, context.CancelFunc)
		request failure
		opts    rollcall.CallOptions
		took    time.Duration
		code    rollcall.Code
		is      error
		own     bool
	}{
		{"the client notices", deadline, failure{After: time.Second, Code: rollcall.CodeAborted}, rollcall.CallOptions{}, timeout, rollcall.CodeDeadlineExceeded, context.DeadlineExceeded, true},
		{"the client is told to give up", cancelled, failure{After: time.Second, Code: rollcall.CodeAborted}, rollcall.CallOptions{}, timeout, rollcall.CodeCanceled, context.Canceled, true},
		{"the server notices at the same time", deadline, failure{timeout, rollcall.CodeDeadlineExceeded, false}, rollcall.CallOptions{}, timeout, rollcall.CodeDeadlineExceeded, context.DeadlineExceeded, true},
		{"the server is faster", deadline, failure{timeout - 10*time.Millisecond, rollcall.CodeDeadlineExceeded, false}, rollcall.CallOptions{}, timeout, rollcall.CodeDeadlineExceeded, context.DeadlineExceeded, true},
		{"the server is faster, hedged", deadline, failure{timeout - 10*time.Millisecond, rollcall.CodeDeadlineExceeded, false}, rollcall.CallOptions{Idempotent: true, Hedge: true}, timeout, rollcall.CodeDeadlineExceeded, context.DeadlineExceeded, true},
		{"the server is much faster", deadline, failure{timeout - 11*time.Millisecond, rollcall.CodeDeadlineExceeded, false}, rollcall.CallOptions{}, timeout - 11*time.Millisecond, rollcall.CodeDeadlineExceeded, context.DeadlineExceeded, false},
		{"another error", deadline, failure{timeout - time.Millisecond, rollcall.CodeAborted, false}, rollcall.CallOptions{}, timeout - time.Millisecond, rollcall.CodeAborted, nil, false},
		{"a server that gives up by itself", deadline, failure{timeout - time.Millisecond, rollcall.CodeCanceled, false}, rollcall.CallOptions{}, timeout - time.Millisecond, rollcall.CodeCanceled, context.Canceled, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := startFailing(t, 1, rollcall.ClientOptions{})
				ctx, cancel := tt.ctx(t.Context())
				defer cancel()
				begun := time.Now()
				_, err := fail.CallWith(ctx, c, &tt.request, tt.opts)
				if took := time.Since(begun); took != tt.took {
					t.Errorf("took %v, want %v", took, tt.took)
				}
				if rollcall.CodeOf(err) != tt.code || (tt.is != nil && !errors.Is(err, tt.is)) || errors.Is(err, errOwn) != tt.own {
					t.Errorf("got %v, the cause is found: %t; want %v and %t", err, errors.Is(err, errOwn), tt.code, tt.own)
				}
			})
		})
	}
}

// A call's own Timeout is told as every deadline is, and an attempt's time that the
// server has noticed a moment earlier is the attempt's: another one follows.
func TestServerNoticesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := startFailing(t, 2, rollcall.ClientOptions{})
		request := &failure{95 * time.Millisecond, rollcall.CodeDeadlineExceeded, false}
		_, err := fail.CallWith(t.Context(), c, request, rollcall.CallOptions{Timeout: 100 * time.Millisecond})
		if rollcall.CodeOf(err) != rollcall.CodeDeadlineExceeded || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		begun := time.Now()
		_, err = fail.CallWith(t.Context(), c, request, rollcall.CallOptions{AttemptTimeout: 100 * time.Millisecond, Idempotent: true})
		wantError(t, err, rollcall.CodeDeadlineExceeded, rollcall.ReasonAttemptTimeout, rollcall.ExecutedYes)
		if n, took := attemptsOf(t, err), time.Since(begun); n != 2 || took != 200*time.Millisecond {
			t.Errorf("%d attempts in %v, want 2 in 200ms: %v", n, took, err)
		}
	})
}

// The end of the client ends the wait for a deadline as well.
func TestCloseDoesNotAwaitDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := startFailing(t, 1, rollcall.ClientOptions{})
		time.AfterFunc(95*time.Millisecond, func() { c.Close() })
		begun := time.Now()
		_, err := fail.CallWith(t.Context(), c, &failure{92 * time.Millisecond, rollcall.CodeDeadlineExceeded, false}, rollcall.CallOptions{Timeout: 100 * time.Millisecond})
		if took := time.Since(begun); took != 95*time.Millisecond {
			t.Errorf("took %v, want 95ms: %v", took, err)
		}
	})
}

// What a handler passes on, another instance would meet as well: nobody else is
// asked, and the caller sees that it was passed on.
func TestPassedOnIsNotTriedElsewhere(t *testing.T) {
	for passedOn, want := range map[bool]int{false: 2, true: 1} {
		synctest.Test(t, func(t *testing.T) {
			c := startFailing(t, 2, rollcall.ClientOptions{Balancing: balancer.Options{Policy: balancer.RoundRobin}})
			_, err := fail.CallWith(t.Context(), c, &failure{0, rollcall.CodeUnavailable, passedOn}, rollcall.CallOptions{Idempotent: true})
			wantError(t, err, rollcall.CodeUnavailable, "", rollcall.ExecutedYes, "as told")
			var e *rollcall.Error
			if errors.As(err, &e); e.PassedOn != passedOn || attemptsOf(t, err) != want {
				t.Errorf("passed on %t: %d attempts, want %d: %v", e.PassedOn, attemptsOf(t, err), want, err)
			}
		})
	}
}
