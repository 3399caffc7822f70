// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-rpc/rollcall/frame"
	"github.com/rollcall-rpc/rollcall/internal/memnet"
)

// seen counts the calls that reached the handler.
type seen struct {
	mu    sync.Mutex
	names map[string]int
}

func (s *seen) handle(ctx context.Context, req *ServerRequest) (Reply, error) {
	s.mu.Lock()
	s.names[string(req.Method)]++
	s.mu.Unlock()
	if strings.HasPrefix(string(req.Method), "fail") {
		return Reply{}, &RemoteError{Code: frame.CodeAborted}
	}
	return echo(ctx, req)
}

// exchange makes five calls, two of them at once, one large, one that fails,
// and returns their errors by name. The connection dies when the client (or the
// server) has written budget bytes.
func exchange(t *testing.T, budget int, cutServer bool) (errs map[string]error, handled map[string]int) {
	t.Helper()
	errs = make(map[string]error)
	s := &seen{names: make(map[string]int)}
	synctest.Test(t, func(t *testing.T) {
		a, b := memnet.Pipe()
		if cutServer {
			b.CutAfter(budget)
		} else {
			a.CutAfter(budget)
		}
		r := newRig(t, a, b, ClientOptions{}, ServerOptions{Handler: s.handle, MaxMessageBytes: 200})
		var mu sync.Mutex
		call := func(name string, size int) {
			_, err := r.client.Call(t.Context(), &Request{Method: name, Body: make([]byte, size)})
			mu.Lock()
			errs[name] = err
			mu.Unlock()
		}
		call("first", 10)
		var wg sync.WaitGroup
		wg.Go(func() { call("left", 5) })
		wg.Go(func() { call("right", 50) })
		wg.Wait()
		call("fail", 3)
		call("toolarge", 201)
		r.close()
	})
	return errs, s.names
}

// The property that failover stands on: a call that reports "not executed" has
// not reached a handler, one that reports "executed" or succeeds has, wherever
// the connection is cut.
func TestConnectionCutAtEveryByte(t *testing.T) {
	for _, cutServer := range []bool{false, true} {
		outcomes := make(map[string]int)
		clean := false
		for budget := 0; !clean; budget++ {
			if budget > 5000 {
				t.Fatal("the exchange never ends")
			}
			errs, handled := exchange(t, budget, cutServer)
			clean = true
			for name, err := range errs {
				executed := frame.ExecutedYes
				var call *CallError
				var remote *RemoteError
				switch {
				case errors.As(err, &call):
					executed = call.Executed
					clean = clean && errors.As(err, new(*frame.LimitError)) // refused here, by design
				case errors.As(err, &remote):
					executed = remote.Executed
				}
				outcomes[executed.String()]++
				if n := handled[name]; n > 1 || (executed == frame.ExecutedNo && n > 0) || (executed == frame.ExecutedYes && n == 0) {
					t.Errorf("server cut: %v, after %d bytes: %s executed %v, the handler saw it %d times: %v", cutServer, budget, name, executed, n, err)
				}
			}
		}
		for _, o := range []string{"no", "maybe", "yes"} {
			if outcomes[o] == 0 {
				t.Errorf("server cut: %v: no call ended with %q: %v", cutServer, o, outcomes)
			}
		}
	}
}

// What the client had written in part is "maybe", what it had not begun "no".
func TestPartOfARequestWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := memnet.Pipe()
		r := newRig(t, a, b, ClientOptions{}, ServerOptions{})
		if err := r.client.Handshake(t.Context()); err != nil {
			t.Fatal(err)
		}
		a.CutAfter(5)
		_, err := r.client.Call(t.Context(), &Request{Method: "M"})
		wantCallError(t, err, frame.ExecutedMaybe, PhaseWait, memnet.ErrCut)
		_, err = r.client.Call(t.Context(), &Request{Method: "M"})
		wantCallError(t, err, frame.ExecutedNo, PhaseQueue, memnet.ErrCut)
	})
	synctest.Test(t, func(t *testing.T) {
		a, b := memnet.Pipe()
		r := newRig(t, a, b, ClientOptions{}, ServerOptions{})
		if err := r.client.Handshake(t.Context()); err != nil {
			t.Fatal(err)
		}
		a.CutAfter(0)
		_, err := r.client.Call(t.Context(), &Request{Method: "M"})
		wantCallError(t, err, frame.ExecutedNo, PhaseQueue, memnet.ErrCut)
	})
}

// A deafEnd takes no bytes.
type deafEnd struct{ *memnet.Conn }

func (deafEnd) Write([]byte) (int, error) { return 0, memnet.ErrCut }

// A connection whose writes fail does not live on because the server's preface
// comes just then.
func TestPrefaceBehindAFailedWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := memnet.Pipe()
		defer b.Close()
		c := NewClientConn(deafEnd{a}, ClientOptions{KeepaliveInterval: -1})
		defer c.Close()
		time.Sleep(lastReadTime / 2)
		if _, err := b.Write(frame.AppendServerPreface(nil, *ok)); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := c.Call(ctx, &Request{Method: "M"})
		wantCallError(t, err, frame.ExecutedNo, PhaseQueue, memnet.ErrCut)
		if d := time.Since(start); d > lastReadTime {
			t.Errorf("dead after %v, want at most %v", d, lastReadTime)
		}
	})
}

// A call that failed with its connection is not offered the same connection again,
// though the other calls on it have yet to be told.
func TestDeadConnectionIsNotOffered(t *testing.T) {
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			a, b := memnet.Pipe()
			r := newRig(t, a, b, ClientOptions{}, ServerOptions{Handler: func(ctx context.Context, _ *ServerRequest) (Reply, error) {
				<-ctx.Done()
				return Reply{}, ctx.Err()
			}})
			defer r.close()
			var wg sync.WaitGroup
			for range 100 {
				wg.Go(func() {
					if _, err := r.client.Call(t.Context(), &Request{Method: "hang"}); err == nil || r.client.Accepts() {
						t.Errorf("accepts calls after %v", err)
					}
				})
			}
			synctest.Wait()
			b.Cut()
			wg.Wait()
		})
	}
}

// A deafConn takes no byte. Once that has been noticed, its end is read.
type deafConn struct {
	net.Conn
	noticed chan struct{}
	end     error
}

func (d *deafConn) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func (d *deafConn) Read([]byte) (int, error) {
	<-d.noticed
	return 0, d.end
}

func (d *deafConn) SetReadDeadline(time.Time) error {
	select {
	case <-d.noticed:
	default:
		close(d.noticed)
	}
	return nil
}

// What a server has said, inside TLS for example, tells more than that it takes no
// more bytes; its end alone does not.
func TestLastWordOfTheServer(t *testing.T) {
	for want, end := range map[string]error{
		"transport: write: broken pipe":              io.EOF,
		"transport: read: tls: certificate required": errors.New("tls: certificate required"),
	} {
		conn, other := memnet.Pipe()
		defer other.Close()
		c := NewClientConn(&deafConn{Conn: conn, noticed: make(chan struct{}), end: end}, ClientOptions{HandshakeTimeout: -1})
		_, err := c.Call(t.Context(), &Request{Method: "M"})
		c.Close()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
}
