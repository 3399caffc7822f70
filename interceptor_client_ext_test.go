// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/rollcalltest"
)

// intercepted returns a client with interceptors, in memory, of a server of divide
// that sends its caller's metadata back.
func intercepted(t *testing.T, opts rollcall.ClientOptions) *rollcall.Client {
	t.Helper()
	s := rollcalltest.NewService(t)
	s.Serve(rollcall.ServerOptions{ID: "a"}, func(s *rollcall.Server) {
		rollcall.Handle(s, divide, func(ctx context.Context, f *fraction) (*quotient, error) {
			call, _ := rollcall.InfoFromContext(ctx)
			call.ReplyMetadata = maps.Clone(call.Metadata)
			return divideOn("a")(ctx, f)
		})
		rollcall.Handle(s, rollcall.Method[[]byte, []byte]{Name: "Echo"}, func(_ context.Context, b *[]byte) (*[]byte, error) { return b, nil })
	})
	return s.Client(opts)
}

// The first interceptor is the outermost, and the chain is built once.
func TestClientInterceptorsInOrder(t *testing.T) {
	var notes []string
	built := 0
	c := intercepted(t, rollcall.ClientOptions{Interceptors: []rollcall.Interceptor{
		noting("a", &notes),
		func(next rollcall.Handler) rollcall.Handler {
			built++
			return noting("b", &notes)(next)
		},
	}})
	for range 2 {
		if _, err := divide.Call(within(t), c, &fraction{Num2: 1}); err != nil {
			t.Fatal(err)
		}
	}
	once := "a Divide/Divide, b Divide/Divide, /b, /a"
	if got, want := strings.Join(notes, ", "), once+", "+once; got != want {
		t.Errorf("the order was %q, want %q", got, want)
	}
	if built != 1 {
		t.Errorf("the chain was built %d times, want once", built)
	}
}

// An interceptor changes the request, the metadata and the reply, and sees after
// next what came back and from whom. The caller's map stays as it is.
func TestClientInterceptorSeesAndChanges(t *testing.T) {
	ran := false
	c := intercepted(t, rollcall.ClientOptions{Interceptors: []rollcall.Interceptor{
		around(func(ctx context.Context, call *rollcall.CallInfo, request any, next rollcall.Handler) (any, error) {
			ran = true
			if call.Method != divide.Name || call.Metadata["sent"] != "by the caller" || call.Instance != nil || call.Size != 0 {
				t.Errorf("before next: %+v", call)
			}
			request.(*fraction).Num1 *= 10
			call.SetMetadata("set", "by the interceptor")
			call.SetMetadata("sent", "by both")
			reply, err := next(ctx, call, request)
			if call.Instance == nil || call.Instance.ID != "a" || call.Size == 0 {
				t.Errorf("after next: %+v", call)
			}
			if got := call.ReplyMetadata; got["set"] != "by the interceptor" || got["sent"] != "by both" {
				t.Errorf("the server was sent %v", got)
			}
			reply.(*quotient).Value++
			return reply, err
		}),
	}})
	sent := rollcall.Metadata{"sent": "by the caller"}
	q, err := divide.CallWith(within(t), c, &fraction{Num1: 6, Num2: 3}, rollcall.CallOptions{Metadata: sent})
	if err != nil || q.Value != 21 || !ran {
		t.Errorf("got %v, %v, want 21", q, err)
	}
	if len(sent) != 1 || sent["sent"] != "by the caller" {
		t.Errorf("the caller's map has become %v", sent)
	}
}

// The context that an interceptor gives to next is the call's.
func TestClientInterceptorGivesTheContext(t *testing.T) {
	c := intercepted(t, rollcall.ClientOptions{Interceptors: []rollcall.Interceptor{
		around(func(ctx context.Context, call *rollcall.CallInfo, request any, next rollcall.Handler) (any, error) {
			ctx, cancel := context.WithCancelCause(ctx)
			cancel(errors.New("the interceptor will not have it"))
			return next(ctx, call, request)
		}),
	}})
	_, err := divide.Call(within(t), c, &fraction{Num2: 1})
	wantError(t, err, rollcall.CodeCanceled, "", rollcall.ExecutedNo, "will not have it")
}

// What an interceptor answers is the call's end, whatever it is.
func TestClientInterceptorAnswers(t *testing.T) {
	type given = func(ctx context.Context, call *rollcall.CallInfo, request any, next rollcall.Handler) (any, error)
	quota := rollcall.Errorf(rollcall.CodeResourceExhausted, "QUOTA", "no more today")
	plain := errors.New("a plain error")
	after := func(reply any, err error) given {
		return func(ctx context.Context, call *rollcall.CallInfo, request any, next rollcall.Handler) (any, error) {
			if _, err := next(ctx, call, request); err != nil {
				t.Error(err)
			}
			return reply, err
		}
	}
	instead := func(reply any, err error) given {
		return func(context.Context, *rollcall.CallInfo, any, rollcall.Handler) (any, error) { return reply, err }
	}
	request := func(message any) given {
		return func(ctx context.Context, call *rollcall.CallInfo, _ any, next rollcall.Handler) (any, error) {
			return next(ctx, call, message)
		}
	}
	for _, tt := range []struct {
		name     string
		f        given
		want     float64 // the reply, where code is 0
		code     rollcall.Code
		reason   string
		executed rollcall.Executed
		says     []string
		is       error
	}{
		{name: "without next", f: instead(&quotient{Value: 7}, nil), want: 7},
		{name: "nil", f: instead(nil, nil)},
		{name: "a nil pointer", f: after((*quotient)(nil), nil)},
		{name: "another type", f: instead("seven", nil), code: rollcall.CodeInternal, reason: rollcall.ReasonBadReply, executed: rollcall.ExecutedNo, says: []string{"string", "*rollcall_test.quotient"}},
		{name: "another type afterwards", f: after(quotient{}, nil), code: rollcall.CodeInternal, reason: rollcall.ReasonBadReply, executed: rollcall.ExecutedYes, says: []string{"type rollcall_test.quotient", "*rollcall_test.quotient"}},
		{name: "another request", f: request(new(int)), code: rollcall.CodeInvalidArgument, reason: rollcall.ReasonBadRequest, executed: rollcall.ExecutedNo, says: []string{"*int", "*rollcall_test.fraction"}},
		{name: "no request", f: request(nil), code: rollcall.CodeInvalidArgument, reason: rollcall.ReasonBadRequest, executed: rollcall.ExecutedNo, says: []string{"<nil>", "*rollcall_test.fraction"}},
		{name: "a plain error", f: instead(nil, plain), code: rollcall.CodeUnknown, executed: rollcall.ExecutedNo, says: []string{"a plain error"}, is: plain},
		{name: "a plain error afterwards", f: after(nil, plain), code: rollcall.CodeUnknown, executed: rollcall.ExecutedYes, is: plain},
		{name: "an error of a context", f: instead(nil, context.DeadlineExceeded), code: rollcall.CodeDeadlineExceeded, executed: rollcall.ExecutedNo, is: context.DeadlineExceeded},
		{name: "an *Error", f: instead(nil, quota), code: rollcall.CodeResourceExhausted, reason: "QUOTA", executed: rollcall.ExecutedNo, says: []string{"no more today"}, is: quota},
		{name: "a wrapped *Error afterwards", f: after(nil, fmt.Errorf("quota of a: %w", quota)), code: rollcall.CodeResourceExhausted, reason: "QUOTA", executed: rollcall.ExecutedYes, says: []string{"quota of a: no more today"}, is: quota},
		{name: "a nil *Error", f: instead(nil, (*rollcall.Error)(nil)), code: rollcall.CodeInternal, executed: rollcall.ExecutedNo, says: []string{"return nil, not a nil *rollcall.Error"}},
		{
			name: "a CallInfo of its own making", code: rollcall.CodeInvalidArgument, reason: rollcall.ReasonBadRequest, executed: rollcall.ExecutedNo, says: []string{"of its own making"},
			f: func(ctx context.Context, _ *rollcall.CallInfo, request any, next rollcall.Handler) (any, error) {
				return next(ctx, new(rollcall.CallInfo), request)
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := intercepted(t, rollcall.ClientOptions{Interceptors: []rollcall.Interceptor{around(tt.f)}})
			q, err := divide.Call(within(t), c, &fraction{Num1: 4, Num2: 2})
			if tt.code == 0 {
				if err != nil || q == nil || q.Value != tt.want {
					t.Errorf("got %v, %v, want %v", q, err, tt.want)
				}
				return
			}
			wantError(t, err, tt.code, tt.reason, tt.executed, tt.says...)
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("%v is not %v", err, tt.is)
			}
			if quota.Executed != 0 {
				t.Fatal("the interceptor's own error was changed")
			}
		})
	}
}

// An interceptor may call again: the second call is a whole one, and nothing of the
// first is left in what is known of it.
func TestClientInterceptorCallsTwice(t *testing.T) {
	for _, second := range []int32{1, 0} { // 0 fails
		var end rollcall.ClientCallEnd
		c := intercepted(t, rollcall.ClientOptions{
			Events: rollcall.ClientEvents{CallEnd: func(_ context.Context, e rollcall.ClientCallEnd) { end = e }},
			Interceptors: []rollcall.Interceptor{
				around(func(ctx context.Context, call *rollcall.CallInfo, request any, next rollcall.Handler) (any, error) {
					call.SetMetadata("call", "first")
					if _, err := next(ctx, call, request); err != nil {
						t.Error(err)
					}
					call.SetMetadata("call", "second")
					return next(ctx, call, &fraction{Num1: 9, Num2: second})
				}),
			},
		})
		q, err := divide.Call(within(t), c, &fraction{Num1: 8, Num2: 1})
		if second == 1 {
			if err != nil || q.Value != 9 || end.Call.ReplyMetadata["call"] != "second" || end.ReplySize == 0 {
				t.Errorf("got %v, %v and %+v", q, err, end.Call)
			}
			continue
		}
		wantError(t, err, rollcall.CodeInvalidArgument, "INVALID_OPERATION", rollcall.ExecutedYes)
		if end.Call.ReplyMetadata != nil || end.ReplySize != 0 || len(end.Report().Attempts) != 1 {
			t.Errorf("of the first call there is left: %v, %d bytes, %+v", end.Call.ReplyMetadata, end.ReplySize, end.Report())
		}
	}
	// A failure after a success says that something was executed.
	c := intercepted(t, rollcall.ClientOptions{Interceptors: []rollcall.Interceptor{
		around(func(ctx context.Context, call *rollcall.CallInfo, request any, next rollcall.Handler) (any, error) {
			if _, err := next(ctx, call, request); err != nil {
				t.Error(err)
			}
			panic("after one that was answered")
		}),
	}})
	_, err := divide.Call(within(t), c, &fraction{Num2: 1})
	wantError(t, err, rollcall.CodeInternal, rollcall.ReasonPanic, rollcall.ExecutedYes)
}

// A panic in an interceptor is the call's error, is logged with its stack, and
// leaves the client as it was.
func TestClientInterceptorPanics(t *testing.T) {
	var log logLines
	first := true
	c := intercepted(t, rollcall.ClientOptions{Logger: log.logger(), Interceptors: []rollcall.Interceptor{
		around(func(ctx context.Context, call *rollcall.CallInfo, request any, next rollcall.Handler) (any, error) {
			if first {
				first = false
				panic("boom")
			}
			return next(ctx, call, request)
		}),
	}})
	_, err := divide.Call(within(t), c, &fraction{Num2: 1})
	wantError(t, err, rollcall.CodeInternal, rollcall.ReasonPanic, rollcall.ExecutedNo)
	if strings.Contains(err.Error(), "boom") || strings.Contains(err.Error(), "goroutine") {
		t.Errorf("the error tells what belongs into the log: %v", err)
	}
	log.once(t, "interceptor panicked", "boom", divide.Name, "interceptor_client_ext_test.go")
	if _, err := divide.Call(within(t), c, &fraction{Num2: 1}); err != nil {
		t.Errorf("the call after it: %v", err)
	}
}

// Invoke goes through the same interceptors, with *[]byte.
func TestClientInterceptorsOfInvoke(t *testing.T) {
	c := intercepted(t, rollcall.ClientOptions{Interceptors: []rollcall.Interceptor{
		around(func(ctx context.Context, call *rollcall.CallInfo, request any, next rollcall.Handler) (any, error) {
			in := request.(*[]byte)
			if call.Method == "Nothing" {
				return nil, nil
			}
			*in = append([]byte("in "), *in...)
			reply, err := next(ctx, call, in)
			if out, ok := reply.(*[]byte); ok {
				*out = append(*out, " out"...)
			}
			return reply, err
		}),
	}})
	reply, err := c.Invoke(within(t), "Echo", []byte("x"), rollcall.CallOptions{})
	if err != nil || string(reply) != "in x out" {
		t.Errorf("got %q, %v", reply, err)
	}
	if reply, err = c.Invoke(within(t), "Nothing", nil, rollcall.CallOptions{}); err != nil || len(reply) != 0 {
		t.Errorf("got %q, %v, want nothing", reply, err)
	}
	if reply, err = c.Invoke(within(t), "Unknown", nil, rollcall.CallOptions{}); reply != nil || rollcall.CodeOf(err) != rollcall.CodeUnimplemented {
		t.Errorf("got %q, %v", reply, err)
	}
}

// A client is not made with an interceptor that is nil.
func TestClientInterceptorNil(t *testing.T) {
	_, err := rollcall.NewClient("static://a:1", rollcall.ClientOptions{Interceptors: []rollcall.Interceptor{noting("a", nil), nil}})
	if err == nil || !strings.Contains(err.Error(), "ClientOptions.Interceptors[1] is nil") {
		t.Errorf("got %v", err)
	}
}
