// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-rpc/rollcall/frame"
)

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

func TestBodiesOfAllSizesComeBack(t *testing.T) {
	modes(t, func(t *testing.T, connect func(testing.TB, ClientOptions, ServerOptions) *rig) {
		r := connect(t, ClientOptions{}, ServerOptions{})
		head := frame.RequestFixedBytes + len("M")
		for _, size := range []int{
			0, 1, 63, 64, 65, 4096, 65536 - head, 65536 - head + 1, 65536 - frame.ReplyFixedBytes, 65536, 65537,
			2*65536 - head, 1 << 20, frame.DefaultMaxMessage,
		} {
			body := randomBytes(size)
			reply, err := r.client.Call(t.Context(), &Request{Method: "M", Codec: 2, Body: body})
			if err != nil || reply.Codec != 2 || !bytes.Equal(reply.Body, body) {
				t.Errorf("%d bytes: %d came back, codec %d, %v", size, len(reply.Body), reply.Codec, err)
			}
			reply.Release()
			reply.Release()
		}
	})
}

func TestMethodMetadataAndDeadlineReachTheHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type seen struct {
			Method   string
			Codec    uint8
			Metadata frame.Metadata
			Body     string
			Left     time.Duration
			Value    any
		}
		var got seen
		r := memRig(t, ClientOptions{}, ServerOptions{Handler: func(ctx context.Context, req *ServerRequest) (Reply, error) {
			deadline, _ := ctx.Deadline()
			got = seen{string(req.Method), req.Codec, req.Metadata, string(req.Body), time.Until(deadline), ctx.Value("key")}
			return Reply{Codec: 9, Metadata: frame.Metadata{"answer": "42"}}, nil
		}})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		reply, err := r.client.Call(ctx, &Request{Method: "A/B", Codec: 64, Metadata: frame.Metadata{"k": "v", "e": ""}, Body: []byte("x")})
		if err != nil {
			t.Fatal(err)
		}
		want := seen{"A/B", 64, frame.Metadata{"k": "v", "e": ""}, "x", time.Minute, nil}
		if diff := cmp.Diff(got, want); diff != "" {
			t.Errorf("handler saw (got - want +):\n%s", diff)
		}
		if reply.Codec != 9 || reply.Metadata["answer"] != "42" || reply.Body != nil {
			t.Errorf("reply %+v", reply)
		}
	})
}

// A reply of many pieces does not hold up the small ones behind it, and the
// pieces of several come together again.
func TestManyCallersOfAllSizes(t *testing.T) {
	modes(t, func(t *testing.T, connect func(testing.TB, ClientOptions, ServerOptions) *rig) {
		r := connect(t, ClientOptions{MaxStreams: 5000}, ServerOptions{MaxStreams: 5000})
		if err := r.client.Handshake(t.Context()); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for i := range 2000 {
			wg.Go(func() {
				size := 10 + i%100
				if i%100 == 0 {
					size = 50_000 + i
				}
				body := bytes.Repeat([]byte{byte(i), byte(i >> 8)}, size)
				for range 2 {
					reply, err := r.client.Call(t.Context(), &Request{Method: "M", Body: body})
					if err != nil || !bytes.Equal(reply.Body, body) {
						t.Errorf("caller %d: %d bytes, %v", i, len(reply.Body), err)
						return
					}
					reply.Release()
				}
			})
		}
		wg.Wait()
		if r.client.InFlight() != 0 || r.server.InFlight() != 0 {
			t.Errorf("in flight: %d, %d", r.client.InFlight(), r.server.InFlight())
		}
	})
}

func TestBlockedHandlersHoldUpNobody(t *testing.T) {
	modes(t, func(t *testing.T, connect func(testing.TB, ClientOptions, ServerOptions) *rig) {
		release := make(chan struct{})
		var entered atomic.Int32
		r := connect(t, ClientOptions{}, ServerOptions{Handler: func(ctx context.Context, req *ServerRequest) (Reply, error) {
			if string(req.Method) == "block" {
				entered.Add(1)
				<-release
			}
			return echo(ctx, req)
		}})
		var wg sync.WaitGroup
		for range 500 {
			wg.Go(func() {
				if _, err := r.client.Call(t.Context(), &Request{Method: "block"}); err != nil {
					t.Error(err)
				}
			})
		}
		for i := 0; i < 200 || entered.Load() < 500; i++ {
			if _, err := r.client.Call(t.Context(), &Request{Method: "M", Body: []byte("x")}); err != nil {
				t.Fatal(err)
			}
		}
		close(release)
		wg.Wait()
	})
}

func TestErrorsOfHandlers(t *testing.T) {
	var panicked atomic.Value
	r := tcpRig(t, ClientOptions{}, ServerOptions{
		OnPanic: func(req *ServerRequest, v any, stack []byte) {
			panicked.Store(fmt.Sprint(string(req.Method), ": ", v, ", ", len(stack) > 0))
		},
		Handler: func(_ context.Context, req *ServerRequest) (Reply, error) {
			switch string(req.Method) {
			case "typed":
				return Reply{}, fmt.Errorf("wrapped: %w", &RemoteError{Code: frame.CodeNotFound, Reason: "GONE", Message: "no", Details: frame.Metadata{"a": "b"}})
			case "no":
				return Reply{}, &RemoteError{Code: frame.CodeUnimplemented, Executed: frame.ExecutedNo}
			case "passed on":
				return Reply{}, &RemoteError{Code: frame.CodeUnavailable, Reason: "BELOW", PassedOn: true}
			case "plain":
				return Reply{}, errors.New("plain")
			case "canceled":
				return Reply{}, context.Canceled
			case "deadline":
				return Reply{}, context.DeadlineExceeded
			case "panic":
				panic("boom")
			case "index":
				return Reply{Body: req.Body[:1]}, nil
			}
			return Reply{Body: []byte("fine")}, nil
		},
	})
	for _, c := range []struct {
		method   string
		code     frame.Code
		reason   string
		executed frame.Executed
	}{
		{"typed", frame.CodeNotFound, "GONE", frame.ExecutedYes},
		{"no", frame.CodeUnimplemented, "", frame.ExecutedNo},
		{"passed on", frame.CodeUnavailable, "BELOW", frame.ExecutedYes},
		{"plain", frame.CodeUnknown, "", frame.ExecutedYes},
		{"canceled", frame.CodeCanceled, "", frame.ExecutedYes},
		{"deadline", frame.CodeDeadlineExceeded, "", frame.ExecutedYes},
		{"panic", frame.CodeInternal, ReasonPanic, frame.ExecutedYes},
		{"index", frame.CodeInternal, ReasonPanic, frame.ExecutedYes},
	} {
		_, err := r.client.Call(t.Context(), &Request{Method: c.method})
		wantRemote(t, err, c.code, c.reason, c.executed)
		var e *RemoteError
		if c.method == "typed" && errors.As(err, &e) && (e.Message != "no" || e.Details["a"] != "b") {
			t.Errorf("typed: %+v", e)
		}
		if errors.As(err, &e) && e.PassedOn != (c.method == "passed on") {
			t.Errorf("%s: passed on is %t", c.method, e.PassedOn)
		}
	}
	if got, _ := panicked.Load().(string); !strings.HasPrefix(got, "index: runtime error") || !strings.HasSuffix(got, ", true") {
		t.Errorf("OnPanic saw %q", got)
	}
	if reply, err := r.client.Call(t.Context(), &Request{Method: "M"}); err != nil || string(reply.Body) != "fine" {
		t.Errorf("after the panics: %q, %v", reply.Body, err)
	}
}

func TestHandlerThatCallsGoexit(t *testing.T) {
	r := tcpRig(t, ClientOptions{}, ServerOptions{Handler: func(ctx context.Context, req *ServerRequest) (Reply, error) {
		if string(req.Method) == "exit" {
			goexit()
		}
		return echo(ctx, req)
	}})
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			if i%2 == 0 {
				_, err := r.client.Call(t.Context(), &Request{Method: "exit"})
				wantRemote(t, err, frame.CodeInternal, ReasonPanic, frame.ExecutedYes)
			} else if _, err := r.client.Call(t.Context(), &Request{Method: "M"}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestPing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := memRig(t, ClientOptions{}, ServerOptions{})
		if err := r.client.Handshake(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		r.serverEnd.(interface{ SetDelay(time.Duration) }).SetDelay(time.Second)
		if got, err := r.client.Ping(t.Context()); got != time.Second || err != nil {
			t.Errorf("Ping = %v, %v; want 1s", got, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := r.client.Ping(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Ping = %v, want DeadlineExceeded", err)
		}
		r.client.Close()
		if _, err := r.client.Ping(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("Ping = %v, want ErrClosed", err)
		}
	})
}

// A warm call allocates the handler's context and nothing else, on both sides
// together.
func TestAllocationsPerCall(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes pools forget")
	}
	r := tcpRig(t, ClientOptions{}, ServerOptions{})
	req := &Request{Method: "A/Method/With/A/Name/Of/Some/Length", Body: make([]byte, 1000)}
	call := func() {
		reply, err := r.client.Call(t.Context(), req)
		if err != nil {
			t.Error(err)
		}
		reply.Release()
	}
	for range 100 {
		call()
	}
	if got := testing.AllocsPerRun(1000, call); got > 1 {
		t.Errorf("%v allocations per call, want at most 1", got)
	}
}

// A connection that nobody wants is closed without a doubt about any call: one that
// is on it is answered, one that comes too late was surely not executed.
func TestCloseIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		r := memRig(t, ClientOptions{}, ServerOptions{Handler: func(ctx context.Context, req *ServerRequest) (Reply, error) {
			<-release
			return echo(ctx, req)
		}})
		answered := make(chan error)
		go func() {
			_, err := r.client.Call(t.Context(), &Request{Method: "M"})
			answered <- err
		}()
		synctest.Wait()
		r.client.CloseIdle()
		close(release)
		if err := <-answered; err != nil {
			t.Errorf("closed under a call: %v", err)
		}
		r.client.CloseIdle()
		_, err := r.client.Call(t.Context(), &Request{Method: "M"})
		wantCallError(t, err, frame.ExecutedNo, PhaseQueue, ErrIdle)
		r.client.CloseIdle()
	})
	for range 300 { // of which some are closed between two calls, and some under one
		r := memRig(t, ClientOptions{}, ServerOptions{})
		if err := r.client.Handshake(t.Context()); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		warm := make(chan struct{})
		wg.Go(func() {
			var err error
			for n := 0; err == nil; n++ {
				if _, err = r.client.Call(t.Context(), &Request{Method: "M"}); n == 0 {
					close(warm)
				}
			}
			wantCallError(t, err, frame.ExecutedNo, PhaseQueue, ErrIdle)
		})
		for <-warm; r.client.Accepts(); {
			r.client.CloseIdle()
		}
		wg.Wait()
		r.close()
	}
}
