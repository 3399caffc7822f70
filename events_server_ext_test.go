// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/frame"
)

// A recorder keeps what a server's events tell.
type recorder struct {
	mu    sync.Mutex // guards what follows
	begun int
	ends  []rollcall.ServerCallEnd
	lines []string

	ended, closed chan struct{} // one for each CallEnd and ConnClose
}

type callNumber struct{}

func newRecorder() *recorder {
	return &recorder{ended: make(chan struct{}, 100), closed: make(chan struct{}, 100)}
}

func (r *recorder) notef(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, fmt.Sprintf(format, args...))
}

// noted returns what was noted that begins so.
func (r *recorder) noted(prefix string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(r.lines), func(line string) bool { return !strings.HasPrefix(line, prefix) })
}

// events returns the functions. CallEnd demands the context of its CallBegin.
func (r *recorder) events(t testing.TB) rollcall.ServerEvents {
	t.Helper()
	return rollcall.ServerEvents{
		CallBegin: func(ctx context.Context, call *rollcall.CallInfo) context.Context {
			if info, ok := rollcall.InfoFromContext(ctx); !ok || info != call {
				t.Error("the context of CallBegin does not carry its call")
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			r.begun++
			return context.WithValue(ctx, callNumber{}, call)
		},
		CallEnd: func(ctx context.Context, end rollcall.ServerCallEnd) {
			if ctx.Value(callNumber{}) != end.Call {
				t.Error("the context of CallEnd is not that of its CallBegin")
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			if end.Code != rollcall.CodeOf(end.Err) || end.Call.Handled == (end.Err != nil && end.Err.Reason == rollcall.ReasonUnknownMethod) {
				t.Errorf("got code %v with error %v, handled %t", end.Code, end.Err, end.Call.Handled)
			}
			r.ends = append(r.ends, end)
			r.ended <- struct{}{}
		},
		ConnOpen: func(c rollcall.ConnInfo) { r.notef("open %s", c.Protocol) },
		ConnClose: func(c rollcall.ConnInfo) {
			if c.Peer.Addr == nil {
				t.Error("a connection without a peer")
			}
			r.notef("close %q %v", c.Protocol, c.Err)
			r.closed <- struct{}{}
		},
		Registration: func(i rollcall.RegistrationInfo) { r.notef("registration %v %s %v", i.Phase, i.Entry, i.Err) },
		Drain:        func(i rollcall.DrainInfo) { r.notef("drain %v %d/%d %v", i.Phase, i.InFlight, i.Open, i.Err) },
	}
}

// awaitSignal waits for one.
func awaitSignal(t testing.TB, c <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-c:
	case <-within(t).Done():
		t.Fatalf("%s did not happen", what)
	}
}

// Each request that was read has one begin and one end, with what its caller sees.
func TestServerCallEvents(t *testing.T) {
	r := newRecorder()
	in := func(ctx context.Context, call *rollcall.CallInfo) (context.Context, error) {
		if ctx.Value(callNumber{}) != call {
			t.Error("the admission does not get CallBegin's context")
		}
		if call.Metadata["token"] == "bad" {
			return nil, rollcall.Errorf(rollcall.CodeUnauthenticated, "TOKEN", "no")
		}
		return nil, nil //nolint:nilnil // the context stays
	}
	s := start(t, "", rollcall.ServerOptions{Events: r.events(t), Admissions: []rollcall.Admission{in}, MaxMessageBytes: 100}, func(s *rollcall.Server) {
		rollcall.Handle(s, divide, func(ctx context.Context, f *fraction) (*quotient, error) {
			if _, ok := ctx.Value(callNumber{}).(*rollcall.CallInfo); !ok {
				t.Error("the handler does not get CallBegin's context")
			}
			switch f.Num2 {
			case 0:
				return nil, rollcall.Errorf(rollcall.CodeInvalidArgument, "ZERO", "division by zero")
			case 13:
				panic("unlucky")
			case 14:
				runtime.Goexit()
			}
			return &quotient{Value: 2}, nil
		})
	})
	c := staticClient(t, s.addr)
	json := rollcall.CallOptions{Codec: rollcall.JSON.ID()}
	for _, tt := range []struct {
		method, body string
		opts         rollcall.CallOptions
		reason       string // of the error; empty: answered
		refused      bool
		replySize    int
		panicked     any
	}{
		{divide.Name, `{"Num1":6,"Num2":3}`, json, "", false, len(`{"Value":2,"Server":""}`), nil},
		{divide.Name, `{}`, json, "ZERO", false, 0, nil},
		{divide.Name, `{"Num2":13}`, json, rollcall.ReasonPanic, false, 0, "unlucky"},
		{divide.Name, `{"Num2":14}`, json, rollcall.ReasonPanic, false, 0, nil},
		{divide.Name, `{`, json, rollcall.ReasonBadRequest, true, 0, nil},
		{divide.Name, `{}`, rollcall.CallOptions{Codec: 99}, rollcall.ReasonUnknownCodec, true, 0, nil},
		{divide.Name, `{}`, rollcall.CallOptions{Codec: 1, Metadata: rollcall.Metadata{"token": "bad"}}, "TOKEN", true, 0, nil},
		{"Unknown", ``, json, rollcall.ReasonUnknownMethod, true, 0, nil},
	} {
		_, err := c.Invoke(within(t), tt.method, []byte(tt.body), tt.opts)
		awaitSignal(t, r.ended, "the end of "+tt.body)
		end := r.ends[len(r.ends)-1]
		if end.Call.Method != tt.method || end.Call.Size != len(tt.body) || end.Call.Peer.Addr == nil || end.Refused != tt.refused ||
			end.ReplySize != tt.replySize || end.Panic != tt.panicked || end.Elapsed < 0 {
			t.Errorf("%s %s: got %+v of %+v", tt.method, tt.body, end, end.Call)
		}
		if (end.Err == nil) != (tt.reason == "") {
			t.Fatalf("%s: told of %v, want %q", tt.body, end.Err, tt.reason)
		}
		var seen *rollcall.Error
		if end.Err != nil && (!errors.As(err, &seen) || end.Err.Reason != tt.reason || seen.Reason != tt.reason || seen.Code != end.Err.Code || seen.Executed != end.Err.Executed) {
			t.Errorf("%s: told of %v, and the caller of %v", tt.body, end.Err, err)
		}
	}
	// What the connection refuses by itself, of a client that ignores the limit.
	request := frame.AppendRequest(nil, &frame.Request{Method: []byte(divide.Name), Body: make([]byte, 101)})
	conn := dialRaw(t, s.addr)
	if _, err := conn.Write(append(frame.AppendPreface(nil, frame.Preface{}), framed(frame.TypeRequest, 1, request)...)); err != nil {
		t.Fatal(err)
	}
	awaitSignal(t, r.ended, "the end of what is too large")
	if end := r.ends[len(r.ends)-1]; !end.Refused || end.Err.Reason != rollcall.ReasonMessageTooLarge || end.Call.Method != divide.Name {
		t.Errorf("too large: got %+v", end)
	}
	// What the client would not take.
	narrow := clientAt(t, s.addr, rollcall.ClientOptions{MaxMessageBytes: 10})
	_, err := divide.Call(within(t), narrow, &fraction{Num2: 1})
	wantError(t, err, rollcall.CodeResourceExhausted, rollcall.ReasonMessageTooLarge, rollcall.ExecutedYes)
	awaitSignal(t, r.ended, "the end of a reply that is too large")
	if end := r.ends[len(r.ends)-1]; end.Refused || end.Err == nil || end.Err.Reason != rollcall.ReasonMessageTooLarge || end.ReplySize != 0 {
		t.Errorf("a reply that is too large: got %+v", end)
	}
	s.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.begun != len(r.ends) {
		t.Errorf("%d begins and %d ends", r.begun, len(r.ends))
	}
}

// Each connection that was accepted is closed once, with the reason where it was
// refused, and opened where its protocol is known.
func TestServerConnEvents(t *testing.T) {
	only(t, "TLS says something", "tcp", "memory")
	r := newRecorder()
	s := start(t, "", rollcall.ServerOptions{Events: r.events(t), Protocols: []rollcall.Protocol{shout}, MaxPendingConnections: 1}, func(s *rollcall.Server) {
		rollcall.Handle(s, divide, divideOn("a"))
	})
	for _, sent := range []string{"", "GET / HTTP/1.1\r\n", "!hello\n"} {
		conn := dialRaw(t, s.addr)
		io.WriteString(conn, sent) //nolint:errcheck // the server may close it first
		conn.CloseWrite()          //nolint:errcheck // likewise
		awaitSignal(t, r.closed, "the end of "+sent)
	}
	silent := dialRaw(t, s.addr)
	tooMany := dialRaw(t, s.addr)
	awaitSignal(t, r.closed, "the refusal of one too many")
	tooMany.Close()
	silent.Close()
	awaitSignal(t, r.closed, "the end of the silent one")
	c := staticClient(t, s.addr)
	if _, err := divide.Call(within(t), c, &fraction{Num2: 1}); err != nil {
		t.Fatal(err)
	}
	c.Close()
	awaitSignal(t, r.closed, "the end of the client")
	got := append(r.noted("open"), r.noted("close")...)
	want := []string{
		"open shout", "open rollcall/1",
		`close "" <nil>`, `close "" it looks like HTTP: Server.HandleHTTP has a server answer that`, `close "shout" <nil>`,
		`close "" too many connections have said nothing yet, and this one for longest`, `close "" <nil>`, `close "rollcall/1" <nil>`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// The steps of a drain are told in order, with what is in flight.
func TestServerDrainEvents(t *testing.T) {
	for _, finishes := range []bool{true, false} {
		r := newRecorder()
		opts := rollcall.ServerOptions{ID: "a", Events: r.events(t), DrainDelay: -1, DrainTimeout: time.Millisecond}
		if finishes {
			opts.DrainTimeout = patience
		}
		s, c, release := startHolding(t, opts)
		s.drain()
		if finishes { // else it is gone before anybody looks
			await(t, c, "the leave", func() bool { return c.Snapshot().Counts.Leaving == 1 })
			for len(r.noted("drain refusing")) == 0 { // told after the server refuses
				runtime.Gosched()
			}
			if err := release(); err != nil {
				t.Error(err)
			}
		}
		<-s.ended
		if !finishes {
			release() //nolint:errcheck // it is cancelled
		}
		got := slices.DeleteFunc(r.noted("drain"), func(line string) bool { return line == "drain left the list 1/1 <nil>" })
		want := []string{"drain begun 1/1 <nil>", "drain refusing 1/1 <nil>", "drain cancelled 1/1 <nil>"}
		if finishes {
			want[2] = "drain done 0/0 <nil>"
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// Both of two are told, and the second one's context is based on the first's.
func TestTeeServerEvents(t *testing.T) {
	a, b := newRecorder(), newRecorder()
	s := rollcall.NewServer(rollcall.ServerOptions{Events: rollcall.TeeServerEvents(a.events(t), rollcall.TeeServerEvents(rollcall.ServerEvents{}, b.events(t)))})
	rollcall.Handle(s, divide, divideOn("a"))
	if _, err := s.Invoke(within(t), invoked(`{"Num2":1}`), rollcall.Peer{}); err != nil {
		t.Error(err)
	}
	if a.begun != 1 || b.begun != 1 || len(a.ends) != 1 || len(b.ends) != 1 {
		t.Errorf("told %d/%d and %d/%d times, want once each", a.begun, len(a.ends), b.begun, len(b.ends))
	}
}

// An event that panics is logged and harms no call.
func TestServerEventsThatPanic(t *testing.T) {
	log := new(logLines)
	s := start(t, "", rollcall.ServerOptions{Logger: log.logger(), Registrar: new(discovery.Memory), Events: rollcall.ServerEvents{
		CallEnd:      func(context.Context, rollcall.ServerCallEnd) { panic("end") },
		ConnOpen:     func(rollcall.ConnInfo) { panic("open") },
		ConnClose:    func(rollcall.ConnInfo) { panic("close") },
		Registration: func(rollcall.RegistrationInfo) { panic("registration") },
		Drain:        func(rollcall.DrainInfo) { panic("drain") },
	}}, func(s *rollcall.Server) { rollcall.Handle(s, divide, divideOn("a")) })
	if _, err := divide.Call(within(t), staticClient(t, s.addr), &fraction{Num2: 1}); err != nil {
		t.Error(err)
	}
	s.drain()
	<-s.ended
	if s.err != nil {
		t.Error(s.err)
	}
	log.await(t, 1, "level=ERROR", "an event's function panicked", "events_server_ext_test.go")
}
