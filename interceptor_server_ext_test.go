// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/rollcall-rpc/rollcall"
)

// noting returns an interceptor that notes when it is on the way in and out.
func noting(name string, notes *[]string) rollcall.Interceptor {
	return func(next rollcall.Handler) rollcall.Handler {
		return func(ctx context.Context, call *rollcall.CallInfo, request any) (any, error) {
			*notes = append(*notes, name+" "+call.Method)
			reply, err := next(ctx, call, request)
			*notes = append(*notes, "/"+name)
			return reply, err
		}
	}
}

// around returns an interceptor that is one function.
func around(f func(ctx context.Context, call *rollcall.CallInfo, request any, next rollcall.Handler) (any, error)) rollcall.Interceptor {
	return func(next rollcall.Handler) rollcall.Handler {
		return func(ctx context.Context, call *rollcall.CallInfo, request any) (any, error) {
			return f(ctx, call, request, next)
		}
	}
}

type traceKey struct{}

// The first interceptor is the outermost; they see the messages as the handler
// does, and may change them, the context and the reply's metadata.
func TestServerInterceptors(t *testing.T) {
	var notes []string
	s := start(t, "", rollcall.ServerOptions{Interceptors: []rollcall.Interceptor{
		noting("a", &notes), noting("b", &notes),
		around(func(ctx context.Context, call *rollcall.CallInfo, request any, next rollcall.Handler) (any, error) {
			request.(*fraction).Num1 *= 2
			call.SetMetadata("set", "by the interceptor")
			call.SetReplyMetadata("first", "1")
			reply, err := next(context.WithValue(ctx, traceKey{}, "traced"), call, request)
			call.SetReplyMetadata("second", "2")
			reply.(*quotient).Value++
			return reply, err
		}),
	}}, func(s *rollcall.Server) {
		rollcall.Handle(s, divide, func(ctx context.Context, f *fraction) (*quotient, error) {
			info, ok := rollcall.InfoFromContext(ctx)
			if !ok || info.Metadata["set"] != "by the interceptor" || info.Metadata["sent"] != "by the client" {
				return nil, errors.New("the call's metadata are not what they were set to")
			}
			info.SetReplyMetadata("handler", "h")
			server, _ := ctx.Value(traceKey{}).(string)
			return &quotient{Value: float64(f.Num1 / f.Num2), Server: server}, nil
		})
	})
	sent := rollcall.Metadata{"sent": "by the client"}
	var report rollcall.Report
	q, err := divide.CallWith(within(t), staticClient(t, s.addr), &fraction{Num1: 6, Num2: 3}, rollcall.CallOptions{Metadata: sent, Report: &report})
	if err != nil || q.Value != 5 || q.Server != "traced" {
		t.Errorf("got %v, %v, want 5 from \"traced\"", q, err)
	}
	if got := report.Metadata; got["first"] != "1" || got["second"] != "2" || got["handler"] != "h" {
		t.Errorf("the reply's metadata are %v", got)
	}
	if got, want := strings.Join(notes, ", "), "a Divide/Divide, b Divide/Divide, /b, /a"; got != want {
		t.Errorf("the order was %q, want %q", got, want)
	}
}

// What an interceptor does in the handler's place is told as what it is: nothing
// was executed where the handler was not begun.
func TestServerInterceptorThatDoesNotCallNext(t *testing.T) {
	tests := []struct {
		name     string
		f        func(ctx context.Context, call *rollcall.CallInfo, request any, next rollcall.Handler) (any, error)
		code     rollcall.Code
		reason   string
		executed rollcall.Executed
		says     []string
	}{
		{"refuses", func(context.Context, *rollcall.CallInfo, any, rollcall.Handler) (any, error) {
			return nil, rollcall.Errorf(rollcall.CodeResourceExhausted, "QUOTA", "no more today")
		}, rollcall.CodeResourceExhausted, "QUOTA", rollcall.ExecutedNo, []string{"no more today"}},
		{"fails afterwards", func(ctx context.Context, call *rollcall.CallInfo, request any, next rollcall.Handler) (any, error) {
			next(ctx, call, request) //nolint:errcheck // the interceptor has its own
			return nil, rollcall.Errorf(rollcall.CodeAborted, "LATE", "too late")
		}, rollcall.CodeAborted, "LATE", rollcall.ExecutedYes, nil},
		{"panics before", func(context.Context, *rollcall.CallInfo, any, rollcall.Handler) (any, error) {
			panic("boom")
		}, rollcall.CodeInternal, rollcall.ReasonPanic, rollcall.ExecutedNo, nil},
		{"panics afterwards", func(ctx context.Context, call *rollcall.CallInfo, request any, next rollcall.Handler) (any, error) {
			next(ctx, call, request) //nolint:errcheck // it panics
			panic("boom")
		}, rollcall.CodeInternal, rollcall.ReasonPanic, rollcall.ExecutedYes, nil},
		{"another request", func(ctx context.Context, call *rollcall.CallInfo, _ any, next rollcall.Handler) (any, error) {
			return next(ctx, call, new(int))
		}, rollcall.CodeInternal, rollcall.ReasonBadRequest, rollcall.ExecutedNo, []string{"*int", "*rollcall_test.fraction"}},
		{"another reply", func(context.Context, *rollcall.CallInfo, any, rollcall.Handler) (any, error) {
			return "six", nil
		}, rollcall.CodeInternal, rollcall.ReasonBadReply, rollcall.ExecutedNo, []string{"string", "*rollcall_test.quotient"}},
		{"a call of its own making", func(ctx context.Context, _ *rollcall.CallInfo, request any, next rollcall.Handler) (any, error) {
			return next(ctx, &rollcall.CallInfo{}, request)
		}, rollcall.CodeInternal, rollcall.ReasonBadRequest, rollcall.ExecutedNo, []string{"of its own making"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t, "", rollcall.ServerOptions{Interceptors: []rollcall.Interceptor{around(tt.f)}}, func(s *rollcall.Server) {
				rollcall.Handle(s, divide, divideOn("a"))
			})
			once := divide
			once.Idempotent = false
			_, err := once.Call(within(t), staticClient(t, s.addr), &fraction{Num2: 1})
			wantError(t, err, tt.code, tt.reason, tt.executed, tt.says...)
		})
	}
}

// A reply of its own, and none, are replies.
func TestServerInterceptorThatAnswers(t *testing.T) {
	for name, reply := range map[string]any{"zero": nil, "zero typed": (*quotient)(nil), "a": &quotient{Value: 7}} {
		s := start(t, "", rollcall.ServerOptions{Interceptors: []rollcall.Interceptor{
			around(func(context.Context, *rollcall.CallInfo, any, rollcall.Handler) (any, error) { return reply, nil }),
		}}, func(s *rollcall.Server) { rollcall.Handle(s, divide, divideOn("a")) })
		want := 0.0
		if name == "a" {
			want = 7
		}
		if q, err := divide.Call(within(t), staticClient(t, s.addr), &fraction{}); err != nil || q.Value != want {
			t.Errorf("%s: got %v, %v, want %v", name, q, err, want)
		}
	}
}

// An interceptor that returns before it calls next has told that nothing is
// executed: the handler is not begun any more.
func TestServerInterceptorThatCallsNextTooLate(t *testing.T) {
	returned, late := make(chan struct{}), make(chan error, 1)
	begun := false
	s := start(t, "", rollcall.ServerOptions{Interceptors: []rollcall.Interceptor{
		around(func(ctx context.Context, call *rollcall.CallInfo, request any, next rollcall.Handler) (any, error) {
			go func() {
				<-returned
				_, err := next(ctx, call, request)
				late <- err
			}()
			return nil, rollcall.Errorf(rollcall.CodeAborted, "", "not waiting")
		}),
	}}, func(s *rollcall.Server) {
		rollcall.Handle(s, divide, func(context.Context, *fraction) (*quotient, error) {
			begun = true
			return nil, nil
		})
	})
	_, err := divide.Call(within(t), staticClient(t, s.addr), &fraction{})
	wantError(t, err, rollcall.CodeAborted, "", rollcall.ExecutedNo)
	close(returned)
	if err := <-late; err == nil || begun {
		t.Errorf("got %v, handler begun: %t, want an error and no handler", err, begun)
	}
}

// Nil interceptors and admissions are mistakes that Serve reports.
func TestServeReportsNilFunctions(t *testing.T) {
	broken := func(rollcall.Handler) rollcall.Handler { return nil }
	for says, opts := range map[string]rollcall.ServerOptions{
		"ServerOptions.Interceptors[1] is nil":                 {Interceptors: []rollcall.Interceptor{noting("a", new([]string)), nil}},
		"ServerOptions.Admissions[0] is nil":                   {Admissions: []rollcall.Admission{nil}},
		"the first of ServerOptions.Interceptors returned nil": {Interceptors: []rollcall.Interceptor{broken}},
	} {
		s := rollcall.NewServer(opts)
		rollcall.Handle(s, divide, divideOn("a"))
		if err := s.ListenAndServe(within(t), "127.0.0.1:0"); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want an error that says %q", err, says)
		}
	}
}
