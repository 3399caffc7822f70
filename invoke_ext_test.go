// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/internal/memnet"
)

// invoked is a request of divide in JSON.
func invoked(body string) rollcall.Request {
	return rollcall.Request{Method: divide.Name, Codec: rollcall.JSON.ID(), Body: []byte(body), Metadata: rollcall.Metadata{"k": "v"}}
}

// A request in another format goes the way of any other.
func TestInvoke(t *testing.T) {
	log := new(logLines)
	var notes []string
	s := rollcall.NewServer(rollcall.ServerOptions{
		Logger:       log.logger(),
		Interceptors: []rollcall.Interceptor{noting("i", &notes)},
		Admissions: []rollcall.Admission{func(_ context.Context, call *rollcall.CallInfo) (context.Context, error) {
			if call.Peer.Identity != "ann" {
				return nil, rollcall.Errorf(rollcall.CodePermissionDenied, "WHO", "who are you?")
			}
			return nil, nil //nolint:nilnil // the context stays
		}},
	})
	rollcall.Handle(s, divide, func(ctx context.Context, f *fraction) (*quotient, error) {
		info, _ := rollcall.InfoFromContext(ctx)
		if f.Num2 == 0 {
			panic("division by zero")
		}
		info.SetReplyMetadata("k", info.Metadata["k"])
		return &quotient{Value: float64(f.Num1 / f.Num2), Server: info.Peer.Addr.String()}, nil
	})
	ann := rollcall.Peer{Addr: &net.TCPAddr{Port: 7}, Identity: "ann"}
	reply, err := s.Invoke(within(t), invoked(`{"Num1":6,"Num2":3}`), ann)
	if err != nil || string(reply.Body) != `{"Value":2,"Server":":7"}` || reply.Codec != rollcall.JSON.ID() || reply.Metadata["k"] != "v" {
		t.Errorf("got %q, %+v, %v", reply.Body, reply, err)
	}
	if got := strings.Join(notes, " "); got != "i Divide/Divide /i" {
		t.Errorf("the interceptor noted %q", got)
	}
	_, err = s.Invoke(within(t), invoked(`{}`), rollcall.Peer{})
	wantError(t, err, rollcall.CodePermissionDenied, "WHO", rollcall.ExecutedNo)
	_, err = s.Invoke(within(t), invoked(`{`), ann)
	wantError(t, err, rollcall.CodeInvalidArgument, rollcall.ReasonBadRequest, rollcall.ExecutedNo)
	_, err = s.Invoke(within(t), rollcall.Request{Method: "Unknown"}, ann)
	wantError(t, err, rollcall.CodeUnimplemented, rollcall.ReasonUnknownMethod, rollcall.ExecutedNo)
	_, err = s.Invoke(within(t), rollcall.Request{Method: divide.Name, Codec: 99}, ann)
	wantError(t, err, rollcall.CodeUnimplemented, rollcall.ReasonUnknownCodec, rollcall.ExecutedNo)
	_, err = s.Invoke(within(t), invoked(`{}`), ann)
	wantError(t, err, rollcall.CodeInternal, rollcall.ReasonPanic, rollcall.ExecutedYes)
	log.once(t, "level=ERROR", "handler panicked", "division by zero", "invoke_ext_test.go", "method="+divide.Name)
	if n := s.State().InFlight; n != 0 {
		t.Errorf("%d in flight when all have returned", n)
	}
	s.Close()
	_, err = s.Invoke(within(t), invoked(`{"Num1":6,"Num2":3}`), ann)
	wantError(t, err, rollcall.CodeUnavailable, rollcall.ReasonDraining, rollcall.ExecutedNo)
}

// A drain waits for calls of other formats, whoever makes them, refuses new ones,
// and cancels them when time is up.
func TestDrainAndInvoke(t *testing.T) {
	for _, patient := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			var network memnet.Network
			l, err := network.Listen("server:1")
			if err != nil {
				t.Fatal(err)
			}
			s := rollcall.NewServer(rollcall.ServerOptions{DrainDelay: -1, DrainTimeout: time.Minute})
			finish := make(chan struct{})
			rollcall.Handle(s, divide, func(ctx context.Context, _ *fraction) (*quotient, error) {
				select {
				case <-finish:
					return nil, nil
				case <-ctx.Done():
					return nil, context.Cause(ctx)
				}
			})
			ctx, drain := context.WithCancel(t.Context())
			served, answered := make(chan error, 1), make(chan error, 1)
			go func() { served <- s.Serve(ctx, l) }()
			go func() {
				_, err := s.Invoke(context.Background(), invoked(`{}`), rollcall.Peer{})
				answered <- err
			}()
			synctest.Wait()
			drain()
			synctest.Wait()
			if state := s.State(); state.InFlight != 1 || !state.Refusing {
				t.Errorf("in flight %d, refusing %t, want 1 and true", state.InFlight, state.Refusing)
			}
			_, err = s.Invoke(context.Background(), invoked(`{}`), rollcall.Peer{})
			wantError(t, err, rollcall.CodeUnavailable, rollcall.ReasonDraining, rollcall.ExecutedNo)
			begun := time.Now()
			if patient {
				time.Sleep(30 * time.Second)
				close(finish)
			}
			if err := <-served; err != nil {
				t.Errorf("Serve: %v", err)
			}
			took, err := time.Since(begun), <-answered
			if patient && (err != nil || took != 30*time.Second) {
				t.Errorf("got %v after %v, want an answer after 30s", err, took)
			}
			if !patient && (!strings.Contains(err.Error(), rollcall.ErrServerClosed.Error()) || took != time.Minute) {
				t.Errorf("got %v after %v, want the server's end after 1m", err, took)
			}
		})
	}
}

// A Protocol hands its requests to Invoke; one that panics loses its connection
// and nothing else.
func TestProtocolInvokes(t *testing.T) {
	log := new(logLines)
	line := shout
	line.Serve = func(ctx context.Context, conn net.Conn, s *rollcall.Server) error {
		b := make([]byte, 100)
		n, err := conn.Read(b)
		if err != nil {
			return err
		}
		reply, err := s.Invoke(ctx, invoked(string(b[1:n])), rollcall.PeerOf(conn))
		if err != nil {
			panic(err)
		}
		_, err = conn.Write(reply.Body)
		return err
	}
	s := start(t, "", rollcall.ServerOptions{Logger: log.logger(), Protocols: []rollcall.Protocol{line}}, func(s *rollcall.Server) {
		rollcall.Handle(s, divide, func(ctx context.Context, f *fraction) (*quotient, error) {
			info, _ := rollcall.InfoFromContext(ctx)
			if f.Num2 == 0 {
				return nil, errors.New("no")
			}
			return &quotient{Server: info.Peer.Addr.String()}, nil
		})
	})
	conn := dialRaw(t, s.addr)
	if _, err := conn.Write([]byte(`!{"Num2":1}`)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 100)
	if n, _ := conn.Read(b); !strings.Contains(string(b[:n]), conn.LocalAddr().String()) {
		t.Errorf("got %q, want the peer's address in it", b[:n])
	}
	broken := dialRaw(t, s.addr)
	if _, err := broken.Write([]byte(`!{}`)); err != nil {
		t.Fatal(err)
	}
	if n, err := broken.Read(b); err == nil {
		t.Errorf("got %q, want the end of the connection", b[:n])
	}
	stillServes(t, s.addr)
	s.Close()
	log.once(t, "level=ERROR", "protocol panicked", "protocol=shout", "invoke_ext_test.go")
}
