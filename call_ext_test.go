// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/discovery"
)

func TestCallJSON(t *testing.T) {
	registry := new(discovery.Memory)
	startDivide(t, registry, "a")
	c := newClient(t, registry, rollcall.ClientOptions{})
	q, err := divide.Call(within(t), c, &fraction{Num1: 6, Num2: 3})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := *q, (quotient{Value: 2, Server: "a"}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestCallRawBytes(t *testing.T) {
	echo := rollcall.Method[[]byte, []byte]{Name: "Echo"}
	s := start(t, "", rollcall.ServerOptions{}, func(s *rollcall.Server) {
		rollcall.Handle(s, echo, func(_ context.Context, b *[]byte) (*[]byte, error) { return b, nil })
	})
	c := staticClient(t, s.addr)
	for _, size := range []int{0, 1, 1000, 64 << 10, 1 << 20} {
		sent := bytes.Repeat([]byte{7}, size)
		got, err := echo.Call(within(t), c, &sent)
		if err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		if !bytes.Equal(*got, sent) {
			t.Errorf("%d bytes came back as %d others", size, len(*got))
		}
	}
}

func TestReplyBuffer(t *testing.T) {
	s := start(t, "", rollcall.ServerOptions{}, func(s *rollcall.Server) {
		rollcall.Handle(s, rollcall.Method[[]byte, []byte]{Name: "Echo"}, func(_ context.Context, b *[]byte) (*[]byte, error) { return b, nil })
	})
	c := staticClient(t, s.addr)
	buffer := make([]byte, 3, 8)
	for _, sent := range []string{"short", "", "longer than the buffer"} {
		got, err := c.Invoke(within(t), "Echo", []byte(sent), rollcall.CallOptions{ReplyBuffer: buffer})
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != sent {
			t.Errorf("got %q, want %q", got, sent)
		}
		if len(sent) <= cap(buffer) && len(sent) > 0 && &got[0] != &buffer[0] {
			t.Errorf("%q does not lie in the buffer", sent)
		}
	}
}

func TestCallProtobufAndItsJSON(t *testing.T) {
	upper := rollcall.Method[wrapperspb.StringValue, wrapperspb.StringValue]{Name: "Upper"}
	s := start(t, "", rollcall.ServerOptions{}, func(s *rollcall.Server) {
		rollcall.Handle(s, upper, func(_ context.Context, in *wrapperspb.StringValue) (*wrapperspb.StringValue, error) {
			return wrapperspb.String(strings.ToUpper(in.GetValue())), nil
		})
	})
	c := staticClient(t, s.addr)
	out, err := upper.Call(within(t), c, wrapperspb.String("ada"))
	if err != nil {
		t.Fatal(err)
	}
	if got := out.GetValue(); got != "ADA" {
		t.Errorf("got %q, want ADA", got)
	}
	reply, err := c.Invoke(within(t), "Upper", []byte(`"ada"`), rollcall.CallOptions{Codec: rollcall.JSON.ID()})
	if err != nil {
		t.Fatal(err)
	}
	if got := string(reply); got != `"ADA"` {
		t.Errorf("got %s, want \"ADA\"", got)
	}
}

// reversed is a user's codec: the bytes of a string, last first.
type reversed struct{}

func (reversed) ID() uint8    { return 64 }
func (reversed) Name() string { return "reversed" }

func (reversed) Append(b []byte, message any) ([]byte, error) {
	s := *message.(*string)
	for i := len(s) - 1; i >= 0; i-- {
		b = append(b, s[i])
	}
	return b, nil
}

func (reversed) Decode(b []byte, message any) error {
	out, err := reversed{}.Append(nil, new(string(b)))
	*message.(*string) = string(out)
	return err
}

func TestCallUserCodec(t *testing.T) {
	hello := rollcall.Method[string, string]{Name: "Hello", Codec: reversed{}}
	s := start(t, "", rollcall.ServerOptions{}, func(s *rollcall.Server) {
		rollcall.Handle(s, hello, func(_ context.Context, name *string) (*string, error) {
			return new("hello " + *name), nil
		})
	})
	c := staticClient(t, s.addr)
	got, err := hello.Call(within(t), c, new("ada"))
	if err != nil {
		t.Fatal(err)
	}
	if *got != "hello ada" {
		t.Errorf("got %q", *got)
	}
	wire, err := c.Invoke(within(t), "Hello", []byte("ada"), rollcall.CallOptions{Codec: 64})
	if err != nil {
		t.Fatal(err)
	}
	if string(wire) != "ada olleh" {
		t.Errorf("the reply is not written with the request's codec: %q", wire)
	}
}

func TestTypedErrorCrossesTheWire(t *testing.T) {
	registry := new(discovery.Memory)
	startDivide(t, registry, "a")
	c := newClient(t, registry, rollcall.ClientOptions{})
	_, err := divide.Call(within(t), c, &fraction{Num1: 1})
	var e *rollcall.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want a *rollcall.Error", err)
	}
	if e.Code != rollcall.CodeInvalidArgument || e.Reason != "INVALID_OPERATION" || e.Message != "division by zero" || e.Details["num1"] != "1" {
		t.Errorf("got %+v", e)
	}
	if e.Executed != rollcall.ExecutedYes {
		t.Errorf("executed: %v, want yes", e.Executed)
	}
	if len(e.Report.Attempts) != 1 {
		t.Errorf("a handler's error is final; attempts: %v", e.Report.Attempts)
	}
}

func TestRefusedBeforeTheHandler(t *testing.T) {
	echo := rollcall.Method[[]byte, []byte]{Name: "Echo"}
	s := start(t, "", rollcall.ServerOptions{MaxMessageBytes: 1000}, func(s *rollcall.Server) {
		rollcall.Handle(s, divide, divideOn("a"))
		rollcall.Handle(s, echo, func(_ context.Context, b *[]byte) (*[]byte, error) { return b, nil })
	})
	c := staticClient(t, s.addr)
	if err := c.Ready(within(t)); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, method string
		codec        uint8
		body         string
		code         rollcall.Code
		reason       string
		says         []string
	}{
		{"unknown method", "Divide/Multiply", 1, `{}`, rollcall.CodeUnimplemented, rollcall.ReasonUnknownMethod, []string{"Divide/Multiply"}},
		{"unknown codec", "Divide/Divide", 99, `{}`, rollcall.CodeUnimplemented, rollcall.ReasonUnknownCodec, []string{"codec 99", "1 (json)"}},
		{"protobuf for a struct", "Divide/Divide", 2, `{}`, rollcall.CodeUnimplemented, rollcall.ReasonUnknownCodec, []string{"codec 2"}},
		{"broken JSON", "Divide/Divide", 1, `{"Num1":`, rollcall.CodeInvalidArgument, rollcall.ReasonBadRequest, []string{"Divide/Divide", "json"}},
		{"wrong type", "Divide/Divide", 1, `{"Num1":"six"}`, rollcall.CodeInvalidArgument, rollcall.ReasonBadRequest, []string{"Num1"}},
		{"empty name", "", 0, "", rollcall.CodeInvalidArgument, rollcall.ReasonBadRequest, []string{"1 to 255 bytes"}},
		{"long name", strings.Repeat("x", 256), 0, "", rollcall.CodeInvalidArgument, rollcall.ReasonBadRequest, []string{"1 to 255 bytes"}},
		{"too large", "Echo", 0, strings.Repeat("x", 1001), rollcall.CodeResourceExhausted, rollcall.ReasonMessageTooLarge, []string{"1001", "1000"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := c.Invoke(within(t), tt.method, []byte(tt.body), rollcall.CallOptions{Codec: tt.codec})
			var e *rollcall.Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v, want a *rollcall.Error", err)
			}
			if e.Code != tt.code || e.Reason != tt.reason || e.Executed != rollcall.ExecutedNo {
				t.Errorf("got %v %s executed %v, want %v %s no", e.Code, e.Reason, e.Executed, tt.code, tt.reason)
			}
			for _, s := range tt.says {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("the error does not say %q: %v", s, err)
				}
			}
		})
	}
	if _, err := divide.Call(within(t), c, &fraction{Num1: 1, Num2: 1}); err != nil {
		t.Errorf("the server is not left running: %v", err)
	}
}

func TestPanicIsContained(t *testing.T) {
	boom := rollcall.Method[[]byte, []byte]{Name: "Boom"}
	s := start(t, "", rollcall.ServerOptions{}, func(s *rollcall.Server) {
		rollcall.Handle(s, boom, func(context.Context, *[]byte) (*[]byte, error) { panic("boom") })
		rollcall.Handle(s, divide, divideOn("a"))
	})
	c := staticClient(t, s.addr)
	_, err := boom.Call(within(t), c, new([]byte))
	var e *rollcall.Error
	if !errors.As(err, &e) || e.Code != rollcall.CodeInternal || e.Reason != rollcall.ReasonPanic || e.Executed != rollcall.ExecutedYes {
		t.Errorf("got %v, want Internal PANIC", err)
	}
	if _, err := divide.Call(within(t), c, &fraction{Num1: 1, Num2: 1}); err != nil {
		t.Errorf("the server is not left running: %v", err)
	}
}

func TestPlainAndWrappedErrors(t *testing.T) {
	fail := rollcall.Method[string, string]{Name: "Fail"}
	s := start(t, "", rollcall.ServerOptions{}, func(s *rollcall.Server) {
		rollcall.Handle(s, fail, func(_ context.Context, how *string) (*string, error) {
			switch *how {
			case "plain":
				return nil, errors.New("out of ink")
			case "deadline":
				return nil, context.DeadlineExceeded
			case "nil":
				return nil, nil
			}
			// What happened to a call further down is not this call's fate.
			return nil, errors.Join(errors.New("context"), &rollcall.Error{Code: rollcall.CodeNotFound, Message: "no such ink", Executed: rollcall.ExecutedNo})
		})
	})
	c := staticClient(t, s.addr)
	for how, want := range map[string]rollcall.Code{
		"plain": rollcall.CodeUnknown, "wrapped": rollcall.CodeNotFound, "deadline": rollcall.CodeDeadlineExceeded,
	} {
		_, err := fail.Call(within(t), c, &how)
		var e *rollcall.Error
		if !errors.As(err, &e) || e.Code != want || e.Executed != rollcall.ExecutedYes {
			t.Errorf("%s: got %v, want %v", how, err, want)
		}
	}
	if got, err := fail.Call(within(t), c, new("nil")); err != nil || *got != "" {
		t.Errorf("a nil reply: got %v, %v", got, err)
	}
}

func TestMetadataBothWays(t *testing.T) {
	m := rollcall.Method[string, string]{Name: "Traced"}
	s := start(t, "", rollcall.ServerOptions{}, func(s *rollcall.Server) {
		rollcall.Handle(s, m, func(ctx context.Context, _ *string) (*string, error) {
			info, ok := rollcall.InfoFromContext(ctx)
			if !ok || info.Method != "Traced" || info.Peer.Addr == nil || (info.Peer.TLS != nil) != (meeting.trust != nil) || info.Peer.Identity != "" || info.Size != 2 {
				return nil, errors.New("no info of the call")
			}
			info.ReplyMetadata = rollcall.Metadata{"span": info.Metadata["trace"] + "/1"}
			return new("ok"), nil
		})
	})
	c := staticClient(t, s.addr)
	var report rollcall.Report
	_, err := m.CallWith(within(t), c, new(""), rollcall.CallOptions{
		Metadata: rollcall.Metadata{"trace": "7"}, Report: &report,
	})
	if err != nil {
		t.Fatal(err)
	}
	if report.Metadata["span"] != "7/1" {
		t.Errorf("reply metadata: %v", report.Metadata)
	}
	if report.Answered.Addr() != s.addr {
		t.Errorf("answered by %q, want %q", report.Answered.Addr(), s.addr)
	}
}

func TestDeadlineAndCancelReachTheHandler(t *testing.T) {
	hang := rollcall.Method[string, string]{Name: "Hang"}
	begun, ended := make(chan bool, 1), make(chan error, 1)
	s := start(t, "", rollcall.ServerOptions{}, func(s *rollcall.Server) {
		rollcall.Handle(s, hang, func(ctx context.Context, _ *string) (*string, error) {
			_, has := ctx.Deadline()
			begun <- has
			<-ctx.Done()
			ended <- ctx.Err()
			return nil, ctx.Err()
		})
	})
	c := staticClient(t, s.addr)

	ctx, cancel := context.WithCancel(within(t))
	result := make(chan error, 1)
	go func() {
		_, err := hang.Call(ctx, c, new(""))
		result <- err
	}()
	<-begun
	cancel()
	var e *rollcall.Error
	if err := <-result; !errors.As(err, &e) || e.Code != rollcall.CodeCanceled || !errors.Is(err, context.Canceled) || e.Executed != rollcall.ExecutedMaybe {
		t.Errorf("got %v, want Canceled, perhaps executed", err)
	}
	<-ended //nolint:errcheck // what comes of it is looked at elsewhere

	_, err := hang.CallWith(within(t), c, new(""), rollcall.CallOptions{Timeout: 50 * time.Millisecond})
	if !errors.As(err, &e) || e.Code != rollcall.CodeDeadlineExceeded || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want DeadlineExceeded", err)
	}
	if has := <-begun; !has {
		t.Error("the handler's context has no deadline")
	}
	<-ended //nolint:errcheck // what comes of it is looked at elsewhere
}

// A late context has a deadline that has passed, and has not noticed.
type lateContext struct{ context.Context } //nolint:containedctx // it ends with the owner, who made it

func (lateContext) Deadline() (time.Time, bool) { return time.Now().Add(-time.Millisecond), true }

// A deadline that has passed is told as such, and nobody else is tried, also where
// the context's timer is late.
func TestDeadlineBeforeItsTimer(t *testing.T) {
	registry := new(discovery.Memory)
	startDivide(t, registry, "a")
	startDivide(t, registry, "b")
	c := newClient(t, registry, rollcall.ClientOptions{})
	_, err := divide.Call(lateContext{within(t)}, c, &fraction{Num2: 1})
	wantError(t, err, rollcall.CodeDeadlineExceeded, "", rollcall.ExecutedNo)
	if n := attemptsOf(t, err); n != 1 || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%d attempts: %v", n, err)
	}
}
