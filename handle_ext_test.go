// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/discovery"
)

// failing serves divide with a handler that fails with that error.
func failing(t *testing.T, err error) *rollcall.Client {
	t.Helper()
	s := start(t, "", rollcall.ServerOptions{}, func(s *rollcall.Server) {
		rollcall.Handle(s, divide, func(context.Context, *fraction) (*quotient, error) { return nil, err })
	})
	return staticClient(t, s.addr)
}

// A textError is an error of a service's own.
type textError struct{ cause error }

func (e *textError) Error() string { return "own text" }
func (e *textError) Unwrap() error { return e.cause }

// What a handler writes around an Error reaches the caller, with the Error's
// message, code, reason and details, and without what a client tried further down.
func TestWrappedErrorKeepsItsText(t *testing.T) {
	below := &rollcall.Error{
		Code: rollcall.CodeNotFound, Reason: "NO_CART", Message: "no such cart", Details: map[string]string{"shelf": "3"},
		Executed: rollcall.ExecutedNo, Report: &rollcall.Report{Target: "zk://secret:1/carts", Method: "Cart/Get"},
	}
	for want, err := range map[string]error{
		"no such cart":                  below,
		"cart 7: no such cart":          fmt.Errorf("cart %d: %w", 7, below),
		"order 5: cart 7: no such cart": fmt.Errorf("order 5: %w", fmt.Errorf("cart 7: %w", below)),
		"first\nno such cart":           errors.Join(errors.New("first"), below),
		"own text":                      &textError{below},
	} {
		_, err := divide.Call(within(t), failing(t, err), &fraction{})
		wantError(t, err, rollcall.CodeNotFound, "NO_CART", rollcall.ExecutedYes)
		var e *rollcall.Error
		if errors.As(err, &e) && (e.Message != want || e.Details["shelf"] != "3") {
			t.Errorf("the message is %q with details %v, want %q", e.Message, e.Details, want)
		}
	}
	_, err := divide.Call(within(t), failing(t, fmt.Errorf("cart 7: %w", &rollcall.Error{Code: rollcall.CodeAborted})), &fraction{})
	var e *rollcall.Error
	if !errors.As(err, &e) || e.Message != "cart 7" {
		t.Errorf("got %v, want the message \"cart 7\" for an Error without one", err)
	}
}

// A nil *Error in an error that is not nil is a mistake that the caller is told of.
func TestHandlerReturnsNilErrorPointer(t *testing.T) {
	for _, err := range []error{(*rollcall.Error)(nil), fmt.Errorf("cart: %w", (*rollcall.Error)(nil))} {
		_, err = divide.Call(within(t), failing(t, err), &fraction{})
		wantError(t, err, rollcall.CodeInternal, "", rollcall.ExecutedYes, "return nil, not a nil *rollcall.Error")
	}
}

// The failure of a handler's own call is marked where it says that a service could
// not be reached, and stays so over several servers.
func TestPassedOn(t *testing.T) {
	empty := newClient(t, new(discovery.Memory), rollcall.ClientOptions{})
	_, unavailable := divide.Call(within(t), empty, &fraction{})
	_, invalid := divide.Call(within(t), failing(t, rollcall.Errorf(rollcall.CodeInvalidArgument, "", "no")), &fraction{})
	for name, tt := range map[string]struct {
		err  error
		want bool
	}{
		"unavailable":     {unavailable, true},
		"wrapped":         {fmt.Errorf("cart: %w", unavailable), true},
		"passed on twice": {&rollcall.Error{Code: rollcall.CodeUnavailable, PassedOn: true}, true},
		"its own":         {rollcall.Errorf(rollcall.CodeUnavailable, "", "warming up"), false},
		"another code":    {invalid, false},
	} {
		s := rollcall.NewServer(rollcall.ServerOptions{})
		rollcall.Handle(s, divide, func(context.Context, *fraction) (*quotient, error) { return nil, tt.err })
		_, err := s.Invoke(within(t), invoked(`{}`), rollcall.Peer{})
		var e *rollcall.Error
		if !errors.As(err, &e) || e.PassedOn != tt.want {
			t.Errorf("%s: got %+v, want PassedOn %t", name, e, tt.want)
		}
	}
}

// handleAll calls Handle of a method whose handler is never run.
func handleAll[Req, Res any](codec rollcall.Codec) func(*rollcall.Server) {
	return func(s *rollcall.Server) {
		rollcall.Handle(s, rollcall.Method[Req, Res]{Name: "M", Codec: codec}, func(context.Context, *Req) (*Res, error) { return nil, nil })
	}
}

// Messages that can never be sent are found when the method is handled.
func TestMessagesThatCanNeverBeSent(t *testing.T) {
	type text = wrapperspb.StringValue
	for _, tt := range []struct {
		handle func(*rollcall.Server)
		says   string // empty: nothing is wrong
	}{
		{handleAll[*text, *text](nil), "give Method[wrapperspb.StringValue, wrapperspb.StringValue]"},
		{handleAll[fraction, *quotient](nil), "give Method[rollcall_test.fraction, rollcall_test.quotient]"},
		{handleAll[text, quotient](nil), "reply rollcall_test.quotient is a protobuf message and the other is not"},
		{handleAll[fraction, text](nil), "is a protobuf message and the other is not"},
		{handleAll[fraction, text](rollcall.Proto), "is a protobuf message and the other is not"},
		{handleAll[fraction, quotient](rollcall.Proto), "are not both protobuf messages"},
		{handleAll[[]byte, quotient](nil), "give two []byte"},
		{handleAll[fraction, chan int](nil), "JSON has no form"},
		{handleAll[func(), quotient](nil), "JSON has no form"},
		{handleAll[complex128, quotient](nil), "JSON has no form"},
		{handleAll[fraction, quotient](nil), ""},
		{handleAll[text, text](nil), ""},
		{handleAll[text, quotient](rollcall.JSON), ""},
		{handleAll[[]byte, []byte](nil), ""},
		{handleAll[[]byte, quotient](rollcall.JSON), ""},
		{handleAll[fraction, []byte](nil), ""},
		{handleAll[func(), quotient](reversed{}), ""},
		{handleAll[any, map[string]any](nil), ""},
	} {
		s := rollcall.NewServer(rollcall.ServerOptions{DrainDelay: -1})
		tt.handle(s)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := s.ListenAndServe(ctx, "127.0.0.1:0")
		if tt.says != "" && (err == nil || !strings.Contains(err.Error(), `method "M"`) || !strings.Contains(err.Error(), tt.says)) {
			t.Errorf("got %v, want an error that says %q", err, tt.says)
		}
		if tt.says == "" && err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
}

// The map that a caller gave is not written into, and neither is one that a
// handler set as a whole.
func TestCallInfoMetadataAreItsOwn(t *testing.T) {
	given := rollcall.Metadata{"a": "1"}
	call := rollcall.CallInfo{Metadata: given}
	call.SetMetadata("b", "2")
	call.SetMetadata("a", "3")
	if len(given) != 1 || given["a"] != "1" || call.Metadata["a"] != "3" || call.Metadata["b"] != "2" {
		t.Errorf("the caller has %v, the call %v", given, call.Metadata)
	}
	var none rollcall.CallInfo
	none.SetMetadata("a", "1")
	none.SetReplyMetadata("b", "2")
	if none.Metadata["a"] != "1" || none.ReplyMetadata["b"] != "2" {
		t.Errorf("got %v and %v", none.Metadata, none.ReplyMetadata)
	}
}

// The caller's side finds the same mistakes, before anything is sent.
func TestMessagesThatCannotBeCalledWith(t *testing.T) {
	c := newClient(t, new(discovery.Memory), rollcall.ClientOptions{})
	_, err := rollcall.Method[*wrapperspb.StringValue, *wrapperspb.StringValue]{Name: "M"}.Call(within(t), c, new(*wrapperspb.StringValue))
	wantError(t, err, rollcall.CodeInvalidArgument, rollcall.ReasonBadRequest, rollcall.ExecutedNo, "give Method[wrapperspb.StringValue, wrapperspb.StringValue]")
	_, err = rollcall.Method[wrapperspb.StringValue, string]{Name: "M"}.Call(within(t), c, new(wrapperspb.StringValue))
	wantError(t, err, rollcall.CodeInvalidArgument, rollcall.ReasonBadRequest, rollcall.ExecutedNo, "is a protobuf message and the other is not")
}
