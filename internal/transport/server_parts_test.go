// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"context"
	"io"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-rpc/rollcall/frame"
	"github.com/rollcall-rpc/rollcall/internal/memnet"
)

// What a server holds of unfinished requests is bounded, over all connections; it is
// given back when they are complete, given up, refused, or their connection ends.
func TestUnfinishedIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 64 << 10
		told := 0
		u := NewUnfinished(most)
		so := ServerOptions{Unfinished: u, OnUnfinished: func() { told++ }, MaxMessageBytes: 10 << 10}
		p, s, _ := dialServer(t, so, &frame.Preface{})
		q, _, served := dialServer(t, so, &frame.Preface{})
		piece := strings.Repeat("x", 1000) // takes a buffer of 2 KiB, for there is more to come
		for id := uint64(1); id <= most/2048; id++ {
			(map[bool]*peer{true: p, false: q}[id%2 == 0]).request(id, frame.FlagMore, piece)
		}
		synctest.Wait()
		if held := u.held.Load(); held != most || told != 0 {
			t.Fatalf("%d bytes are held, want %d", held, most)
		}
		p.request(100, frame.FlagMore, piece)
		wantRemote(t, p.wantError(100), frame.CodeUnavailable, ReasonBusy, frame.ExecutedNo)
		p.sendFrame(frame.TypeData, frame.FlagMore, 2, []byte(strings.Repeat("x", 2000))) // needs a greater buffer
		wantRemote(t, p.wantError(2), frame.CodeUnavailable, ReasonBusy, frame.ExecutedNo)
		if told != 2 {
			t.Errorf("the owner was told %d times, want 2", told)
		}
		p.sendFrame(frame.TypeData, 0, 4, []byte("!"))
		p.wantReply(4, piece+"!")
		p.sendFrame(frame.TypeCancel, 0, 6, nil)
		synctest.Wait()
		if held := u.held.Load(); held != most-3*2048 {
			t.Errorf("%d bytes are held after three have ended, want %d", held, most-3*2048)
		}
		if c := s.Held(); c.Unfinished != most/2-3*2048 {
			t.Errorf("the connection holds %d bytes, want %d", c.Unfinished, most/2-3*2048)
		}
		q.conn.Close()
		<-served //nolint:errcheck // its end is what is wanted
		s.Abort(ErrClosed)
		synctest.Wait()
		if held := u.held.Load(); held != 0 {
			t.Errorf("%d bytes are held when all connections have ended", held)
		}
	})
}

// A request whose next piece does not come is refused; one that goes on is not.
func TestStuckRequestIsRefused(t *testing.T) {
	p, s, _ := dialServer(t, ServerOptions{}, &frame.Preface{})
	p.request(1, frame.FlagMore, "stuck")
	p.request(2, frame.FlagMore, "slow ")
	ping := func() { // what came before it has been read
		p.sendFrame(frame.TypePing, 0, 0, make([]byte, 8))
		p.want(frame.TypePong, 0)
	}
	for look := 1; look <= partLooks; look++ {
		p.sendFrame(frame.TypeData, frame.FlagMore, 2, []byte("but "))
		ping()
		if c := s.Look(); c.Age != look || c.Unfinished == 0 {
			t.Errorf("look %d: got %+v", look, c)
		}
	}
	p.sendFrame(frame.TypeData, frame.FlagMore, 2, []byte("sure"))
	ping()
	s.Look()
	wantRemote(t, p.wantError(1), frame.CodeDeadlineExceeded, ReasonDeadline, frame.ExecutedNo)
	p.sendFrame(frame.TypeData, 0, 1, []byte("too late")) // ignored
	p.sendFrame(frame.TypeData, 0, 2, nil)
	p.wantReply(2, "slow but but but sure")
}

// What waits for a client that does not read is bounded: no more of its requests are
// read, replies are dropped once nobody waits for them, and looks tell of it.
func TestClientThatDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const calls = 200
		var handled atomic.Int32
		p, s, served := dialServer(t, ServerOptions{
			QueueBytes: 100 << 10,
			Handler: func(context.Context, *ServerRequest) (Reply, error) {
				handled.Add(1)
				return Reply{Body: make([]byte, 50<<10)}, nil
			},
		}, &frame.Preface{})
		go func() {
			for id := uint64(1); id <= calls; id++ {
				b := frame.AppendRequest(nil, &frame.Request{Method: []byte("M"), Remaining: time.Second})
				if _, err := p.conn.Write(frameBytes(frame.TypeRequest, 0, id, b)); err != nil {
					return
				}
				time.Sleep(time.Millisecond)
			}
		}()
		time.Sleep(500 * time.Millisecond)
		if n := handled.Load(); n > 20 {
			t.Errorf("%d requests were handled for a client that reads nothing", n)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := s.InFlight(); n != 0 {
			t.Errorf("%d calls are in flight long after their deadlines", n)
		}
		for look := range StallLooks + 1 {
			if c := s.Look(); c.Stalled != look {
				t.Errorf("look %d: got %+v", look, c)
			}
		}
		s.Abort(ErrStalled)
		if err := <-served; err != ErrStalled { //nolint:errorlint // identity is meant
			t.Errorf("got %v, want %v", err, ErrStalled)
		}
	})
}

// Nor are more of them handled that have been read already: their replies would wait
// side by side. Those whose time is up are not handled at all, the others once there is
// room.
func TestClientThatDoesNotReadABurst(t *testing.T) {
	// Handlers side by side each have a reply in hand, and how many there are is a matter
	// of processors.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	synctest.Test(t, func(t *testing.T) {
		const calls = 800
		var handled atomic.Int32
		p, s, _ := dialServer(t, ServerOptions{
			QueueBytes: 100 << 10,
			Handler: func(context.Context, *ServerRequest) (Reply, error) {
				handled.Add(1)
				return Reply{Body: make([]byte, 50<<10)}, nil
			},
		}, &frame.Preface{})
		var burst []byte
		for id := uint64(1); id <= calls; id++ {
			q := frame.Request{Method: []byte("M")}
			if id%2 == 0 {
				q.Remaining = time.Second
			}
			burst = append(burst, frameBytes(frame.TypeRequest, 0, id, frame.AppendRequest(nil, &q))...)
		}
		if _, err := p.conn.Write(burst); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		before := handled.Load()
		if before > calls/8 {
			t.Errorf("%d requests were handled for a client that reads nothing", before)
		}
		time.Sleep(2 * time.Second)
		s.Look()
		synctest.Wait()
		parked := len(s.parked)
		for _, r := range s.parked {
			if r.Budget > 0 {
				t.Fatal("a call waits whose time is up")
			}
		}
		go io.Copy(io.Discard, p.conn) //nolint:errcheck // it ends with the connection
		synctest.Wait()
		if n := handled.Load(); parked == 0 || n < calls/2 || s.InFlight() != 0 {
			t.Errorf("%d had waited, %d requests were handled, %d are in flight, want some, %d at least and none", parked, n, s.InFlight(), calls/2)
		}
	})
}

// A client that ends its direction behind its last request is answered; one that is
// gone altogether is noticed while a handler works for it.
func TestHalfClosedConnection(t *testing.T) {
	for _, gone := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			release := make(chan struct{})
			ended := make(chan error, 1)
			p, _, served := dialServer(t, ServerOptions{Handler: func(ctx context.Context, _ *ServerRequest) (Reply, error) {
				select {
				case <-release:
				case <-ctx.Done():
				}
				ended <- ctx.Err()
				return Reply{Body: []byte("done")}, nil
			}}, &frame.Preface{})
			p.request(1, 0, "work")
			synctest.Wait()
			if gone {
				p.conn.Close()
				if err := <-ended; err == nil {
					t.Error("the handler was not told that its client is gone")
				}
				<-served //nolint:errcheck // likewise
				return
			}
			p.conn.(*memnet.Conn).CloseWrite() //nolint:errcheck // it is open
			time.Sleep(5 * time.Second)
			close(release)
			if err := <-ended; err != nil {
				t.Errorf("the handler's context has ended: %v", err)
			}
			for {
				h, payload := p.next()
				if h.Type == frame.TypePing {
					continue
				}
				if r, err := frame.ParseReply(payload, 1<<10); h.Type != frame.TypeReply || err != nil || string(r.Body) != "done" {
					t.Errorf("got %v %q, want the reply", h.Type, payload)
				}
				break
			}
			if err := <-served; err != nil {
				t.Errorf("Serve returned %v", err)
			}
		})
	}
}

// A tally is a ticket that counts.
type tally struct{ ended, late, unwanted int }

func (a *tally) Ended(_ *ServerRequest, _ time.Time, late bool) {
	a.ended++
	if late {
		a.late++
	}
}

func (a *tally) Unwanted(time.Duration) { a.unwanted++ }

// A CANCEL behind an answer says that the client did not have it in time: once, and
// of calls alone that had a deadline.
func TestCancelBehindAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a tally
		p, s, _ := dialServer(t, ServerOptions{Admit: func(*ServerRequest) (Ticket, *RemoteError) { return &a, nil }}, &frame.Preface{})
		call := func(id uint64, budget time.Duration) {
			p.sendFrame(frame.TypeRequest, 0, id, frame.AppendRequest(nil, &frame.Request{Method: []byte("M"), Remaining: budget}))
			p.want(frame.TypeReply, id)
		}
		cancel := func(id uint64) {
			p.sendFrame(frame.TypeCancel, 0, id, nil)
			synctest.Wait()
		}
		call(1, time.Second)
		call(2, 0)
		cancel(2)
		if a != (tally{ended: 2}) {
			t.Errorf("without a deadline: got %+v", a)
		}
		cancel(1)
		cancel(1)
		if a != (tally{ended: 2, unwanted: 1}) {
			t.Errorf("with one: got %+v, want one unwanted", a)
		}
		call(3, time.Second)
		s.Look()
		s.Look()
		cancel(3)
		if a != (tally{ended: 3, unwanted: 1}) {
			t.Errorf("after it has rested: got %+v, want nothing more", a)
		}
	})
}
