// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package divide_test

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/examples/divide"
)

// dialPipe returns a Caller and the server's end of its connection.
func dialPipe(t *testing.T) (rollcall.Caller, net.Conn) {
	t.Helper()
	near, far := net.Pipe()
	caller, err := divide.Dialect().Dial(t.Context(), discovery.Instance{}, near)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		caller.Close()
		far.Close()
	})
	return caller, far
}

// jsonCall is a call of Divide as the client makes it.
func jsonCall(body string) rollcall.Request {
	return rollcall.Request{Method: divide.Divide.Name, Codec: rollcall.JSON.ID(), Body: []byte(body)}
}

// serveOnce reads some bytes of a request and answers with others.
func serveOnce(conn net.Conn, readBytes int, answer []byte) {
	if _, err := io.ReadFull(conn, make([]byte, readBytes)); err == nil && len(answer) > 0 {
		conn.Write(answer) //nolint:errcheck // the caller tells
	}
}

// wantError checks an error of a call.
func wantError(t *testing.T, err error, code rollcall.Code, reason string, executed rollcall.Executed) {
	t.Helper()
	var e *rollcall.Error
	if !errors.As(err, &e) {
		t.Errorf("error %v is no *rollcall.Error", err)
		return
	}
	if e.Code != code || e.Reason != reason || e.Executed != executed {
		t.Errorf("got %v %q %v (%v), want %v %q %v", e.Code, e.Reason, e.Executed, err, code, reason, executed)
	}
}

func TestCall(t *testing.T) {
	caller, far := dialPipe(t)
	for _, tt := range []struct{ body, wire, reply, want string }{
		{`{"num1":6,"num2":3}`, sixByThree, two, `{"value":2}`},
		{`{"num1":6}`, six, sixAnswer, `{"value":6}`},
		{`{"num1":6,"num2":1}`, six, sixAnswer, `{"value":6}`},
	} {
		done := make(chan struct{})
		go func() {
			defer close(done)
			want := unhex(t, tt.wire)
			got := make([]byte, len(want))
			if _, err := io.ReadFull(far, got); err != nil || string(got) != string(want) {
				t.Errorf("request % x, %v, want % x", got, err, want)
			}
			far.Write(unhex(t, tt.reply)) //nolint:errcheck // the caller tells
		}()
		reply, err := caller.Call(t.Context(), jsonCall(tt.body))
		if err != nil || string(reply.Body) != tt.want || reply.Codec != rollcall.JSON.ID() {
			t.Errorf("Call(%s) = %s in codec %d, %v, want %s", tt.body, reply.Body, reply.Codec, err, tt.want)
		}
		<-done
	}
}

func TestCallInvalidOperation(t *testing.T) {
	caller, far := dialPipe(t)
	go serveOnce(far, len(unhex(t, oneByZero)), unhex(t, errorAnswer))
	_, err := caller.Call(t.Context(), jsonCall(`{"num1":1,"num2":0}`))
	wantError(t, err, rollcall.CodeInvalidArgument, "INVALID_OPERATION", rollcall.ExecutedYes)
	if e := new(rollcall.Error); errors.As(err, &e) && e.Message != "invalid operation" {
		t.Errorf("message %q, want \"invalid operation\"", e.Message)
	}
	if !divide.IsInvalidOperation(err) {
		t.Error("IsInvalidOperation is false")
	}
}

// TestCallCut closes the connection after every byte of the request and of both
// replies.
func TestCallCut(t *testing.T) {
	request := unhex(t, sixByThree)
	for cut := range len(request) + 1 {
		caller, far := dialPipe(t)
		go func() {
			serveOnce(far, cut, nil)
			far.Close()
		}()
		want := rollcall.ExecutedMaybe
		if cut == 0 {
			want = rollcall.ExecutedNo
		}
		_, err := caller.Call(t.Context(), jsonCall(`{"num1":6,"num2":3}`))
		t.Logf("%d of %d bytes written: %v", cut, len(request), err)
		wantError(t, err, rollcall.CodeUnavailable, rollcall.ReasonConnection, want)
	}
	for _, reply := range [][]byte{unhex(t, two), unhex(t, errorAnswer)} {
		for cut := range reply {
			caller, far := dialPipe(t)
			go func() {
				serveOnce(far, len(request), reply[:cut])
				far.Close()
			}()
			_, err := caller.Call(t.Context(), jsonCall(`{"num1":6,"num2":3}`))
			wantError(t, err, rollcall.CodeUnavailable, rollcall.ReasonConnection, rollcall.ExecutedMaybe)
		}
	}
}

func TestCallRefused(t *testing.T) {
	tests := []struct {
		name    string
		request rollcall.Request
		code    rollcall.Code
		reason  string
	}{
		{"method", rollcall.Request{Method: "Divide/Multiply", Codec: 1, Body: []byte(`{}`)}, rollcall.CodeUnimplemented, rollcall.ReasonUnknownMethod},
		{"codec raw", rollcall.Request{Method: "Divide/Divide", Codec: 0}, rollcall.CodeUnimplemented, rollcall.ReasonUnknownCodec},
		{"codec protobuf", rollcall.Request{Method: "Divide/Divide", Codec: 2}, rollcall.CodeUnimplemented, rollcall.ReasonUnknownCodec},
		{"body", jsonCall(`{"num1":"six"}`), rollcall.CodeInvalidArgument, rollcall.ReasonBadRequest},
		{"number too great", jsonCall(`{"num1":2147483648}`), rollcall.CodeInvalidArgument, rollcall.ReasonBadRequest},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			caller, far := dialPipe(t)
			_, err := caller.Call(t.Context(), tt.request)
			wantError(t, err, tt.code, tt.reason, rollcall.ExecutedNo)
			caller.Close()
			if n, err := far.Read(make([]byte, 1)); n > 0 || !errors.Is(err, io.EOF) {
				t.Errorf("%d bytes were written, %v, want none", n, err)
			}
		})
	}
}

func TestCallMalformedReply(t *testing.T) {
	for _, reply := range []string{"00", "03", "01 7fc00000", "02 ffffffff", "02 00000001 ff", two + two} {
		caller, far := dialPipe(t)
		go serveOnce(far, len(unhex(t, six)), unhex(t, reply))
		_, err := caller.Call(t.Context(), jsonCall(`{"num1":6}`))
		wantError(t, err, rollcall.CodeInternal, rollcall.ReasonBadReply, rollcall.ExecutedMaybe)
		if _, ok := errors.AsType[*divide.FormatError](err); !ok {
			t.Errorf("reply %s: %v wraps no *FormatError", reply, err)
		}
	}
}

func TestCallContextEnded(t *testing.T) {
	caller, _ := dialPipe(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := caller.Call(ctx, jsonCall(`{"num1":6}`))
	wantError(t, err, rollcall.CodeCanceled, "", rollcall.ExecutedNo)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v does not wrap context.Canceled", err)
	}
}

// TestCallDeadline lets the deadline pass while the server takes no byte, takes
// part of the request, and takes all of it.
func TestCallDeadline(t *testing.T) {
	for _, taken := range []int{0, 1, len(unhex(t, six))} {
		synctest.Test(t, func(t *testing.T) {
			caller, far := dialPipe(t)
			go serveOnce(far, taken, nil)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			begun := time.Now()
			_, err := caller.Call(ctx, jsonCall(`{"num1":6}`))
			want := rollcall.ExecutedMaybe
			if taken == 0 {
				want = rollcall.ExecutedNo
			}
			wantError(t, err, rollcall.CodeDeadlineExceeded, "", want)
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v does not wrap context.DeadlineExceeded", err)
			}
			if got := time.Since(begun); got != time.Minute {
				t.Errorf("the call took %v, want 1 minute", got)
			}
		})
	}
}

// TestCallAfterAnEndedContext checks that the context of a call that was
// answered does not reach into the next one.
func TestCallAfterAnEndedContext(t *testing.T) {
	caller, far := dialPipe(t)
	for range 100 {
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			serveOnce(far, len(unhex(t, six)), unhex(t, sixAnswer))
			cancel() // while the call returns
		}()
		reply, err := caller.Call(ctx, jsonCall(`{"num1":6}`))
		if err != nil {
			// The end of the context may win over the last byte; then the
			// connection is not used again.
			wantError(t, err, rollcall.CodeCanceled, "", rollcall.ExecutedMaybe)
			caller, far = dialPipe(t)
			continue
		}
		if string(reply.Body) != `{"value":6}` {
			t.Fatalf("reply %s", reply.Body)
		}
		<-ctx.Done()
	}
}

// TestClientSpeaksBothProtocols calls one server in Rollcall's protocol and in
// the divide format.
func TestClientSpeaksBothProtocols(t *testing.T) {
	addr, _ := startServer(t, divide.Handler)
	for _, protocol := range []string{rollcall.ProtocolName, divide.ProtocolName} {
		t.Run(protocol, func(t *testing.T) {
			client, err := rollcall.NewClient("static://"+addr, rollcall.ClientOptions{
				Dialects:        []rollcall.Dialect{divide.Dialect()},
				DefaultProtocol: protocol,
			})
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			six, three, zero := int32(6), int32(3), int32(0)
			q, err := divide.Divide.Call(t.Context(), client, &divide.Fraction{Num1: six, Num2: &three})
			if err != nil || q.Value != 2 {
				t.Errorf("6 / 3 = %v, %v, want 2", q, err)
			}
			q, err = divide.Divide.Call(t.Context(), client, &divide.Fraction{Num1: six})
			if err != nil || q.Value != 6 {
				t.Errorf("6 = %v, %v, want 6", q, err)
			}
			_, err = divide.Divide.Call(t.Context(), client, &divide.Fraction{Num1: six, Num2: &zero})
			wantError(t, err, rollcall.CodeInvalidArgument, divide.ReasonInvalidOperation, rollcall.ExecutedYes)
		})
	}
}
