// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-rpc/rollcall/frame"
	"github.com/rollcall-rpc/rollcall/internal/memnet"
)

func TestCancelReachesTheHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		why := errors.New("why")
		type end struct{ err, cause error }
		ended := make(chan end, 1)
		r := memRig(t, ClientOptions{}, ServerOptions{Handler: func(ctx context.Context, _ *ServerRequest) (Reply, error) {
			child, cancel := context.WithTimeout(ctx, time.Hour)
			defer cancel()
			<-child.Done()
			ended <- end{child.Err(), context.Cause(child)}
			return Reply{}, child.Err()
		}})
		ctx, cancel := context.WithCancelCause(t.Context())
		go func() {
			synctest.Wait()
			cancel(why)
		}()
		start := time.Now()
		_, err := r.client.Call(ctx, &Request{Method: "M"})
		wantCallError(t, err, frame.ExecutedMaybe, PhaseWait, context.Canceled)
		if !errors.Is(err, why) {
			t.Errorf("%v does not name its cause", err)
		}
		if got := <-ended; !errors.Is(got.err, context.Canceled) || !errors.Is(got.cause, errCanceledByPeer) {
			t.Errorf("handler saw %v, %v", got.err, got.cause)
		}
		if d := time.Since(start); d != 0 {
			t.Errorf("took %v", d)
		}
		if r.client.InFlight() != 0 {
			t.Error("still in flight")
		}
	})
}

func TestDeadlineEndsBothSides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		handlerErr := make(chan error, 1)
		r := memRig(t, ClientOptions{KeepaliveInterval: -1}, ServerOptions{Handler: func(ctx context.Context, req *ServerRequest) (Reply, error) {
			if _, ok := ctx.Deadline(); ok != !req.Deadline.IsZero() {
				t.Error("context and request differ about the deadline")
			}
			time.Sleep(2 * time.Second) // deaf to its context
			handlerErr <- ctx.Err()
			return Reply{}, nil
		}})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		_, err := r.client.Call(ctx, &Request{Method: "M"})
		wantCallError(t, err, frame.ExecutedMaybe, PhaseWait, context.DeadlineExceeded)
		if d := time.Since(start); d != time.Second {
			t.Errorf("took %v, want 1s", d)
		}
		if err := <-handlerErr; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the handler's context ended with %v", err)
		}
		_, err = r.client.Call(ctx, &Request{Method: "M"})
		wantCallError(t, err, frame.ExecutedNo, PhaseQueue, context.DeadlineExceeded)
	})
}

// A request that waited for a worker beyond its deadline is not handed over.
func TestDeadlineThatPassedOnArrival(t *testing.T) {
	p, _, _ := dialServer(t, ServerOptions{Handler: func(context.Context, *ServerRequest) (Reply, error) {
		t.Error("handler ran")
		return Reply{}, nil
	}}, &frame.Preface{})
	p.sendFrame(frame.TypeRequest, 0, 1, frame.AppendRequest(nil, &frame.Request{Remaining: 1}))
	wantRemote(t, p.wantError(1), frame.CodeDeadlineExceeded, ReasonDeadline, frame.ExecutedNo)
}

// A request that lies in our own buffer when its context ends is not executed,
// and those behind it are not harmed.
func TestCancelInTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := memnet.PipeSize(300) // the size of what the socket takes
		var handled []string
		var mu sync.Mutex
		r := newRig(t, a, b, ClientOptions{KeepaliveInterval: -1}, ServerOptions{Handler: func(ctx context.Context, req *ServerRequest) (Reply, error) {
			mu.Lock()
			handled = append(handled, string(req.Method))
			mu.Unlock()
			return echo(ctx, req)
		}})
		if err := r.client.Handshake(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		a.Block()
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		call := func(ctx context.Context, name string, size int, check func(error)) {
			wg.Go(func() {
				_, err := r.client.Call(ctx, &Request{Method: name, Body: make([]byte, size)})
				check(err)
			})
			synctest.Wait()
		}
		fine := func(err error) {
			if err != nil {
				t.Error(err)
			}
		}
		call(t.Context(), "jam", 500, fine) // fills the socket; what comes now waits
		call(ctx, "small", 10, func(err error) { wantCallError(t, err, frame.ExecutedNo, PhaseQueue, context.Canceled) })
		call(t.Context(), "behind", 10, fine)
		call(ctx, "large", 200_000, func(err error) { wantCallError(t, err, frame.ExecutedNo, PhaseQueue, context.Canceled) })
		call(t.Context(), "last", 70_000, fine)
		cancel()
		synctest.Wait()
		a.Unblock()
		wg.Wait()
		if len(handled) != 3 {
			t.Errorf("handled %q", handled)
		}
	})
}

// A large request that is cancelled before its last piece was sent is not
// executed, though most of it was written.
func TestCancelBetweenPieces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := memnet.Pipe()
		r := newRig(t, a, b, ClientOptions{KeepaliveInterval: -1, QueueBytes: 1000}, ServerOptions{Handler: func(ctx context.Context, req *ServerRequest) (Reply, error) {
			if string(req.Method) == "large" {
				t.Error("handler ran")
			}
			return echo(ctx, req)
		}})
		if err := r.client.Handshake(t.Context()); err != nil {
			t.Fatal(err)
		}
		a.Block()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := r.client.Call(ctx, &Request{Method: "large", Body: make([]byte, 1<<20)})
		wantCallError(t, err, frame.ExecutedNo, PhaseWrite, context.DeadlineExceeded)
		a.Unblock()
		if _, err := r.client.Call(t.Context(), &Request{Method: "M"}); err != nil {
			t.Error(err)
		}
	})
}

// Answers to calls that were given up are ignored.
func TestAnswersThatComeTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, c := acceptClient(t, ClientOptions{KeepaliveInterval: -1}, ok)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := c.Call(ctx, &Request{Method: "M"})
		wantCallError(t, err, frame.ExecutedMaybe, PhaseWait, context.DeadlineExceeded)
		h, _ := p.next()
		p.want(frame.TypeCancel, h.StreamID)
		reply := frame.AppendReply(nil, &frame.Reply{})
		p.sendFrame(frame.TypeReply, 0, h.StreamID, reply)
		p.sendFrame(frame.TypeReply, frame.FlagMore, h.StreamID, reply)
		p.sendFrame(frame.TypeData, 0, h.StreamID, nil)
		p.sendFrame(frame.TypeError, 0, h.StreamID, frame.AppendError(nil, &frame.Error{Code: 1, Executed: 1}))
		go func() {
			h, _ := p.next()
			p.sendFrame(frame.TypeReply, 0, h.StreamID, reply)
		}()
		if _, err := c.Call(t.Context(), &Request{Method: "M"}); err != nil {
			t.Error(err)
		}
	})
}

// A server that reads nothing does not keep a caller beyond its deadline, over a
// real socket, where the caller itself writes.
func TestDeadlineWithAFullSocket(t *testing.T) {
	a, b := tcpPair(t)
	defer b.Close()
	c := NewClientConn(a, ClientOptions{KeepaliveInterval: -1, HandshakeTimeout: -1})
	defer c.Close()
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if _, err := c.Call(ctx, &Request{Method: "M", Body: make([]byte, 4<<20)}); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, want DeadlineExceeded", err)
			}
		})
	}
	wg.Wait()
}

// Replies that a server begins and never finishes do not pile up behind the calls
// that were given up.
func TestRepliesThatAreNeverFinished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 3
		p, c := acceptClient(t, ClientOptions{KeepaliveInterval: -1, MaxStreams: most}, ok)
		for range 3 * most {
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() {
				_, err := c.Call(ctx, &Request{Method: "M"})
				ended <- err
			}()
			h, _ := p.next()
			p.sendFrame(frame.TypeReply, frame.FlagMore, h.StreamID, []byte("\x00\x00\x00\x00begun"))
			synctest.Wait()
			cancel()
			wantCallError(t, <-ended, frame.ExecutedMaybe, PhaseWait, context.Canceled)
			p.want(frame.TypeCancel, h.StreamID)
		}
		synctest.Wait()
		if n := len(c.partials); n > most {
			t.Errorf("%d replies are kept, want at most %d", n, most)
		}
	})
}
