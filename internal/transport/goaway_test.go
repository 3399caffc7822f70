// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-rpc/rollcall/frame"
	"github.com/rollcall-rpc/rollcall/internal/memnet"
)

func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var goAways []frame.GoAway
		r := memRig(t, ClientOptions{OnGoAway: func(g frame.GoAway) { goAways = append(goAways, g) }}, ServerOptions{
			Handler: func(ctx context.Context, req *ServerRequest) (Reply, error) {
				if string(req.Method) == "slow" {
					<-release
				}
				return echo(ctx, req)
			},
		})
		r.server.GoAway(frame.GoAwayDraining, "early") // before the preface: is sent behind it
		synctest.Wait()
		r.server.GoAway(frame.GoAwayDraining, "again") // which is no news
		synctest.Wait()
		if len(goAways) != 1 || goAways[0] != (frame.GoAway{LastStreamID: frame.LastStreamAll, Reason: frame.GoAwayDraining, Text: "early"}) {
			t.Errorf("got %+v", goAways)
		}
		if !r.client.Draining() {
			t.Error("client is not draining")
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := r.client.Call(t.Context(), &Request{Method: "slow", Body: []byte("x")}); err != nil {
				t.Errorf("slow call: %v", err)
			}
		})
		synctest.Wait()
		r.server.Refuse()
		_, err := r.client.Call(t.Context(), &Request{Method: "M"})
		wantRemote(t, err, frame.CodeUnavailable, ReasonDraining, frame.ExecutedNo)
		select {
		case <-r.server.Drained():
			t.Error("drained with a call in flight")
		default:
		}
		close(release)
		<-r.server.Drained()
		wg.Wait() // the reply was written before Drained
		r.server.Close()
		<-r.served
		if !errors.Is(r.serveErr, ErrClosed) {
			t.Errorf("Serve returned %v, want ErrClosed", r.serveErr)
		}
		<-r.client.Done()
		if !errors.Is(r.client.Err(), ErrGoAway) {
			t.Errorf("client died of %v, want ErrGoAway", r.client.Err())
		}
	})
}

// The order of the real thing: a reply that is still to be written counts.
func TestDrainedWaitsForTheSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := memnet.PipeSize(100)
		r := newRig(t, a, b, ClientOptions{KeepaliveInterval: -1}, ServerOptions{})
		if err := r.client.Handshake(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.Block()
		done := make(chan error)
		go func() {
			_, err := r.client.Call(t.Context(), &Request{Method: "M", Body: make([]byte, 1000)})
			done <- err
		}()
		synctest.Wait()
		r.server.Refuse()
		synctest.Wait()
		select {
		case <-r.server.Drained():
			t.Error("drained before the reply was written")
		default:
		}
		b.Unblock()
		if err := <-done; err != nil {
			t.Error(err)
		}
		<-r.server.Drained()
	})
}

func TestGoAwayDecidesWhatWasExecuted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, c := acceptClient(t, ClientOptions{KeepaliveInterval: -1}, ok)
		var wg sync.WaitGroup
		var ids []uint64
		errs := make([]error, 4)
		for i := range errs {
			wg.Go(func() { _, errs[i] = c.Call(t.Context(), &Request{Method: "M"}) })
			h, _ := p.next()
			ids = append(ids, h.StreamID)
		}
		goAway := func(last uint64) {
			p.sendFrame(frame.TypeGoAway, 0, 0, frame.AppendGoAway(nil, frame.GoAway{LastStreamID: last, Reason: frame.GoAwayShutdown, Text: "bye"}))
			synctest.Wait()
		}
		goAway(ids[2])
		goAway(ids[1])
		_, err := c.Call(t.Context(), &Request{Method: "M"})
		wantCallError(t, err, frame.ExecutedNo, PhaseQueue, ErrGoAway)
		p.sendFrame(frame.TypeReply, 0, ids[0], frame.AppendReply(nil, &frame.Reply{}))
		p.conn.Close()
		wg.Wait()
		if errs[0] != nil {
			t.Errorf("answered behind the GOAWAY: %v", errs[0])
		}
		wantCallError(t, errs[1], frame.ExecutedMaybe, PhaseWait, ErrGoAway)
		wantCallError(t, errs[2], frame.ExecutedNo, 0, ErrGoAway)
		wantCallError(t, errs[3], frame.ExecutedNo, 0, ErrGoAway)
	})
}

// The server closes at any moment among many calls: what reports "not executed"
// was not seen by a handler, and what succeeded was.
func TestCloseRacesWithCalls(t *testing.T) {
	for round := range 20 {
		var mu sync.Mutex
		handled := make(map[string]int)
		enough := make(chan struct{})
		r := tcpRig(t, ClientOptions{}, ServerOptions{Handler: func(ctx context.Context, req *ServerRequest) (Reply, error) {
			mu.Lock()
			defer mu.Unlock()
			handled[string(req.Body)]++
			if len(handled) == 50*round+1 {
				close(enough)
			}
			return echo(ctx, req)
		}})
		var wg sync.WaitGroup
		type outcome struct {
			body string
			err  error
		}
		outcomes := make(chan outcome, 1<<16)
		for i := range 50 {
			wg.Go(func() {
				for n := 0; ; n++ {
					body := fmt.Sprint(i, "/", n)
					_, err := r.client.Call(t.Context(), &Request{Method: "M", Body: []byte(body)})
					outcomes <- outcome{body, err}
					if err != nil {
						return
					}
				}
			})
		}
		<-enough
		r.server.Close()
		wg.Wait()
		<-r.served
		close(outcomes)
		for o := range outcomes {
			var call *CallError
			switch n := handled[o.body]; {
			case o.err == nil && n != 1, n > 1:
				t.Errorf("call %s handled %d times", o.body, n)
			case errors.As(o.err, &call) && call.Executed == frame.ExecutedNo && n > 0:
				t.Errorf("call %s was handled and reports %v", o.body, o.err)
			}
		}
	}
}

func TestServeEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := memnet.Pipe()
		defer a.Close()
		why := errors.New("why")
		ctx, cancel := context.WithCancelCause(context.WithValue(t.Context(), key{}, "value"))
		handlerEnded := make(chan error, 1)
		s := NewServerConn(b, ServerOptions{Handler: func(ctx context.Context, _ *ServerRequest) (Reply, error) {
			if ctx.Value(key{}) != "value" {
				t.Error("Serve's values are not visible")
			}
			<-ctx.Done()
			time.Sleep(time.Second)
			handlerEnded <- ctx.Err()
			return Reply{}, nil
		}})
		served := make(chan error)
		go func() { served <- s.Serve(ctx) }()
		c := NewClientConn(a, ClientOptions{})
		defer c.Close()
		go func() {
			synctest.Wait()
			cancel(why)
		}()
		_, err := c.Call(t.Context(), &Request{Method: "M"})
		wantCallError(t, err, frame.ExecutedMaybe, PhaseWait, ErrGoAway)
		if err := <-served; !errors.Is(err, why) {
			t.Errorf("Serve returned %v, want %v", err, why)
		}
		if len(handlerEnded) != 1 {
			t.Error("Serve did not wait for the handler")
		}
	})
}

type key struct{}

func TestCloseBeforeServe(t *testing.T) {
	a, b := memnet.Pipe()
	defer a.Close()
	s := NewServerConn(b, ServerOptions{})
	s.Close()
	s.Close()
	if err := s.Serve(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("Serve returned %v, want ErrClosed", err)
	}
	<-s.Drained()
}

// A client that reads nothing cannot keep Close waiting for long.
func TestCloseOfAJammedConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := memnet.PipeSize(100)
		r := newRig(t, a, b, ClientOptions{KeepaliveInterval: -1}, ServerOptions{})
		if err := r.client.Handshake(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.Block()
		go func() { r.client.Call(t.Context(), &Request{Method: "M", Body: make([]byte, 1000)}) }() //nolint:errcheck // it is the server that is watched
		synctest.Wait()
		start := time.Now()
		r.server.Close()
		<-r.served
		if d := time.Since(start); d > partingTime {
			t.Errorf("took %v", d)
		}
		if !errors.Is(r.serveErr, ErrClosed) {
			t.Errorf("Serve returned %v, want ErrClosed", r.serveErr)
		}
	})
}

// A halting is a connection on which all that is under way comes to an end before
// our direction does.
type halting struct{ net.Conn }

func (h halting) CloseWrite() error {
	synctest.Wait()
	return h.Conn.(*memnet.Conn).CloseWrite()
}

// A handler that ends because the server closes answers nobody: its caller would
// take "cancelled" for the outcome, where another server can be asked.
func TestCloseIsNotAnAnswer(t *testing.T) {
	for name, wrap := range map[string]func(net.Conn) net.Conn{
		"ends its direction alone": func(c net.Conn) net.Conn { return halting{c} },
		"ends both together":       func(c net.Conn) net.Conn { return struct{ net.Conn }{c} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := memnet.Pipe()
				begun := make(chan struct{})
				r := newRig(t, a, wrap(b), ClientOptions{}, ServerOptions{Handler: func(ctx context.Context, _ *ServerRequest) (Reply, error) {
					close(begun)
					<-ctx.Done()
					return Reply{}, ctx.Err()
				}})
				go func() {
					<-begun
					_ = r.server.Close()
				}()
				_, err := r.client.Call(t.Context(), &Request{Method: "M"})
				wantCallError(t, err, frame.ExecutedMaybe, PhaseWait, ErrGoAway)
				<-r.served // the rig's cleanup closes too
			})
		})
	}
}

// Handlers that end with the connection answer when nothing can be written any more.
// That is no reason to close it before the client has read the GOAWAY.
func TestCloseReadsOnBehindItsLastWord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, s, served := dialServer(t, ServerOptions{Handler: func(ctx context.Context, _ *ServerRequest) (Reply, error) {
			<-ctx.Done()
			time.Sleep(time.Millisecond)
			return Reply{}, ctx.Err()
		}}, &frame.Preface{})
		p.request(1, 0, "in flight")
		synctest.Wait()
		start := time.Now()
		time.AfterFunc(partingTime/2, func() {
			p.request(2, 0, "late")
			p.conn.Close()
		})
		s.Close()
		if d := time.Since(start); d != partingTime/2 {
			t.Errorf("closed after %v, want %v: when the client has", d, partingTime/2)
		}
		if err := <-served; !errors.Is(err, ErrClosed) {
			t.Errorf("Serve returned %v, want ErrClosed", err)
		}
	})
}

// A server that sends GOAWAYs without end breaks the protocol; those that say
// nothing new are told to nobody.
func TestFloodOfGoAways(t *testing.T) {
	var told int
	p, c := acceptClient(t, ClientOptions{OnGoAway: func(frame.GoAway) { told++ }}, ok)
	away := frame.AppendGoAway(nil, frame.GoAway{LastStreamID: frame.LastStreamAll, Reason: frame.GoAwayDraining, Text: "x"})
	for range maxGoAways {
		p.sendFrame(frame.TypeGoAway, 0, 0, away)
	}
	if _, err := c.Ping(pinged(t, p)); err != nil {
		t.Fatal(err)
	}
	if told != 1 {
		t.Errorf("told %d times, want once", told)
	}
	p.sendFrame(frame.TypeGoAway, 0, 0, away)
	<-c.Done()
	if err := c.Err(); !errors.Is(err, ErrProtocol) {
		t.Errorf("died of %v, want %v", err, ErrProtocol)
	}
}

// pinged lets the peer answer the client's next PING: what came before it has been
// read by then.
func pinged(t *testing.T, p *peer) context.Context {
	t.Helper()
	go func() {
		if h, payload := p.next(); h.Type == frame.TypePing {
			p.sendFrame(frame.TypePong, 0, 0, payload)
		}
	}()
	return t.Context()
}
