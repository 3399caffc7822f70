// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/discovery"
)

func TestCodeOf(t *testing.T) {
	aborted := &rollcall.Error{Code: rollcall.CodeAborted}
	for _, tt := range []struct {
		name string
		err  error
		want rollcall.Code
	}{
		{"nil", nil, rollcall.CodeOK},
		{"an *Error", aborted, rollcall.CodeAborted},
		{"a wrapped one", fmt.Errorf("cart: %w", aborted), rollcall.CodeAborted},
		{"a joined one", errors.Join(io.EOF, aborted), rollcall.CodeAborted},
		{"one that wraps a deadline", rollcall.Errorf(rollcall.CodeAborted, "", "late: %w", context.DeadlineExceeded), rollcall.CodeAborted},
		{"a deadline", context.DeadlineExceeded, rollcall.CodeDeadlineExceeded},
		{"a wrapped deadline", fmt.Errorf("cart: %w", context.DeadlineExceeded), rollcall.CodeDeadlineExceeded},
		{"a cancelled context", context.Canceled, rollcall.CodeCanceled},
		{"any other", io.EOF, rollcall.CodeUnknown},
		{"a nil *Error", (*rollcall.Error)(nil), rollcall.CodeOK},
		{"a wrapped nil *Error", fmt.Errorf("cart: %w", (*rollcall.Error)(nil)), rollcall.CodeUnknown},
	} {
		if got := rollcall.CodeOf(tt.err); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}

// Whatever a server says, its error is one line that can be printed; the fields
// have it as it came.
func TestErrorIsPrintable(t *testing.T) {
	s := start(t, "", rollcall.ServerOptions{}, func(s *rollcall.Server) {
		rollcall.Handle(s, divide, func(context.Context, *fraction) (*quotient, error) {
			return nil, rollcall.Errorf(rollcall.CodeInternal, "", "\x1b]0;owned\a\nERROR: all is lost 齿轮")
		})
	})
	_, err := divide.Call(within(t), staticClient(t, s.addr), &fraction{})
	var typed *rollcall.Error
	if !errors.As(err, &typed) || typed.Message != "\x1b]0;owned\a\nERROR: all is lost 齿轮" {
		t.Errorf("got %#v, want the message as it was written", typed)
	}
	if text := err.Error(); strings.ContainsFunc(text, unicode.IsControl) || !strings.Contains(text, `\x1b]0;owned\a\nERROR: all is lost 齿轮`) {
		t.Errorf("got %q, want its control characters escaped", text)
	}
}

// A service's own errors are found by code and reason, also where they are wrapped,
// and whatever they say.
func TestErrorIs(t *testing.T) {
	err := fmt.Errorf("cart: %w", &rollcall.Error{
		Code: rollcall.CodeFailedPrecondition, Reason: "OUT_OF_STOCK", Message: "none left", Executed: rollcall.ExecutedYes,
	})
	for _, tt := range []struct {
		name   string
		target error
		want   bool
	}{
		{"code and reason", rollcall.Errorf(rollcall.CodeFailedPrecondition, "OUT_OF_STOCK", "another text"), true},
		{"the code", &rollcall.Error{Code: rollcall.CodeFailedPrecondition}, true},
		{"the reason", &rollcall.Error{Reason: "OUT_OF_STOCK"}, true},
		{"neither", &rollcall.Error{Message: "none left"}, false},
		{"another code", rollcall.Errorf(rollcall.CodeAborted, "OUT_OF_STOCK", ""), false},
		{"another reason", rollcall.Errorf(rollcall.CodeFailedPrecondition, "SOLD", ""), false},
		{"a nil *Error", (*rollcall.Error)(nil), false},
		{"no *Error", io.EOF, false},
	} {
		if got := errors.Is(err, tt.target); got != tt.want {
			t.Errorf("%s: got %t, want %t", tt.name, got, tt.want)
		}
	}
	if errors.Is((*rollcall.Error)(nil), rollcall.Errorf(rollcall.CodeAborted, "", "")) {
		t.Error("a nil *Error is found to be something")
	}
}

func TestErrorText(t *testing.T) {
	report := func(in discovery.Instance) *rollcall.Report {
		return &rollcall.Report{Target: "zk://r:1/divide", Method: "Divide/Divide", Source: discovery.SourceLive, Answered: in}
	}
	named := discovery.Instance{Name: "server0000000001", Host: "10.0.0.1", Port: 80}
	static := discovery.Instance{Host: "10.0.0.1", Port: 80}
	for _, tt := range []struct {
		err  *rollcall.Error
		want string
	}{
		{&rollcall.Error{Code: rollcall.CodeAborted}, "Aborted"},
		{&rollcall.Error{Code: rollcall.CodeAborted, Reason: "SOLD", Message: "to others", Executed: rollcall.ExecutedNo}, "Aborted SOLD: to others (not executed)"},
		{&rollcall.Error{Code: rollcall.CodeAborted, Message: "m", Executed: rollcall.ExecutedYes, Report: report(named)}, "Aborted: m; answered by 10.0.0.1:80 (server0000000001)"},
		{&rollcall.Error{Code: rollcall.CodeAborted, Message: "m", Executed: rollcall.ExecutedYes, Report: report(static)}, "Aborted: m; answered by 10.0.0.1:80"},
		{&rollcall.Error{Code: rollcall.CodeAborted, Message: "m", Executed: rollcall.ExecutedYes, Report: report(discovery.Instance{})}, "Aborted: m"},
		{&rollcall.Error{Code: rollcall.CodeUnavailable, Message: "m", Executed: rollcall.ExecutedMaybe, Report: report(named)}, "Unavailable: m (perhaps executed); Divide/Divide on zk://r:1/divide, live list: 0 listed"},
		{nil, "<nil>"},
	} {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
}

// An answer that cannot be used says whose it was.
func TestBadReplyNamesWhoAnswered(t *testing.T) {
	registry := new(discovery.Memory)
	s := start(t, "", rollcall.ServerOptions{Registrar: registry, ID: "a"}, func(s *rollcall.Server) {
		rollcall.Handle(s, rollcall.Method[fraction, []string]{Name: divide.Name}, func(context.Context, *fraction) (*[]string, error) { return &[]string{"two"}, nil })
	})
	c := newClient(t, registry, rollcall.ClientOptions{})
	for _, report := range []*rollcall.Report{nil, new(rollcall.Report)} {
		_, err := divide.CallWith(within(t), c, &fraction{Num2: 1}, rollcall.CallOptions{Report: report})
		wantError(t, err, rollcall.CodeInternal, rollcall.ReasonBadReply, rollcall.ExecutedYes, "answered by "+s.addr+" (server0000000000)")
		if report != nil && report.Answered.ID != "a" {
			t.Errorf("the report names %+v", report.Answered)
		}
	}
}

// Whether the handler ran is told alike to the caller, to the server's events and to
// who invokes the server, whatever the error says that was returned; which stays as
// it is, for others return it too.
func TestExecutedOfErrorf(t *testing.T) {
	shared := rollcall.Errorf(rollcall.CodeAborted, "SHARED", "by all")
	claims := rollcall.Errorf(rollcall.CodeAborted, "CLAIMS", "that nothing was done")
	claims.Executed = rollcall.ExecutedNo
	errs := []error{shared, claims, fmt.Errorf("wrapped: %w", shared)}
	r := newRecorder()
	const by = "by"
	s := start(t, "", rollcall.ServerOptions{
		Events: r.events(t),
		Admissions: []rollcall.Admission{func(_ context.Context, call *rollcall.CallInfo) (context.Context, error) {
			if call.Metadata[by] == "admission" {
				return nil, shared
			}
			return nil, nil //nolint:nilnil // the context stays
		}},
		Interceptors: []rollcall.Interceptor{around(func(ctx context.Context, call *rollcall.CallInfo, request any, next rollcall.Handler) (any, error) {
			if call.Metadata[by] == "interceptor" {
				return nil, shared
			}
			return next(ctx, call, request)
		})},
	}, func(s *rollcall.Server) {
		rollcall.Handle(s, divide, func(_ context.Context, f *fraction) (*quotient, error) { return nil, errs[f.Num1] })
	})
	c := staticClient(t, s.addr)
	for _, tt := range []struct {
		by   string
		errs int
		want rollcall.Executed
	}{
		{"handler", len(errs), rollcall.ExecutedYes}, {"admission", 1, rollcall.ExecutedNo}, {"interceptor", 1, rollcall.ExecutedNo},
	} {
		for i := range tt.errs {
			var want *rollcall.Error
			errors.As(errs[i], &want)
			metadata := rollcall.Metadata{by: tt.by}
			_, err := divide.CallWith(within(t), c, &fraction{Num1: int32(i)}, rollcall.CallOptions{Metadata: metadata})
			wantError(t, err, want.Code, want.Reason, tt.want)
			_, err = s.Invoke(within(t), rollcall.Request{
				Method: divide.Name, Codec: rollcall.JSON.ID(), Metadata: metadata, Body: fmt.Appendf(nil, `{"Num1":%d}`, i),
			}, rollcall.Peer{})
			wantError(t, err, want.Code, want.Reason, tt.want)
			for range 2 {
				awaitSignal(t, r.ended, "the end of a call")
			}
			r.mu.Lock()
			for _, end := range r.ends {
				wantError(t, end.Err, want.Code, want.Reason, tt.want)
				if end.Refused != (tt.want == rollcall.ExecutedNo) {
					t.Errorf("%s: refused %t", tt.by, end.Refused)
				}
			}
			r.ends = nil
			r.mu.Unlock()
		}
	}
	if shared.Executed != 0 || claims.Executed != rollcall.ExecutedNo {
		t.Error("the errors that were returned have changed")
	}
}
