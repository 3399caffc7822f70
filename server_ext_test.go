// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/discovery"
)

func TestServeReportsBadOptions(t *testing.T) {
	tests := []struct {
		name string
		opts rollcall.ServerOptions
		says string
	}{
		{"target", rollcall.ServerOptions{Registry: "zookeeper:2181"}, "ServerOptions.Registry"},
		{"static target", rollcall.ServerOptions{Registry: "static://127.0.0.1:1"}, "zk://host:port/path"},
		{"weight", rollcall.ServerOptions{Weight: 10001}, "ServerOptions.Weight 10001"},
		{"id", rollcall.ServerOptions{ID: strings.Repeat("x", 256)}, "ServerOptions.ID of 256 bytes"},
		{"protocol", rollcall.ServerOptions{Protocols: []rollcall.Protocol{{Name: "x"}}}, `"x" needs Name, Match and Serve`},
		{"advertised nowhere", rollcall.ServerOptions{Advertise: "0.0.0.0:1", Registrar: new(discovery.Memory)}, "unspecified"},
		{"advertised link-local", rollcall.ServerOptions{Advertise: "169.254.1.1", Registrar: new(discovery.Memory)}, "link-local"},
		{"advertised garbage", rollcall.ServerOptions{Advertise: "a:b:c", Registrar: new(discovery.Memory)}, `Advertise "a:b:c"`},
		{"advertised port", rollcall.ServerOptions{Advertise: "a:0", Registrar: new(discovery.Memory)}, "1 to 65535"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := rollcall.NewServer(tt.opts).ListenAndServe(within(t), "127.0.0.1:0")
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want an error that says %q", err, tt.says)
			}
		})
	}
}

func TestServeReportsBadMethods(t *testing.T) {
	s := rollcall.NewServer(rollcall.ServerOptions{})
	rollcall.Handle(s, divide, divideOn("a"))
	rollcall.Handle(s, divide, divideOn("b"))
	rollcall.Handle(s, rollcall.Method[fraction, quotient]{}, divideOn("c"))
	err := s.ListenAndServe(within(t), "127.0.0.1:0")
	if err == nil || !strings.Contains(err.Error(), `"Divide/Divide" is handled twice`) || !strings.Contains(err.Error(), `method name ""`) {
		t.Errorf("got %v", err)
	}
}

func TestListenOnAPortInUse(t *testing.T) {
	only(t, "ListenAndServe listens on TCP", "tcp", "mtls")
	first := start(t, "", rollcall.ServerOptions{}, func(*rollcall.Server) {})
	err := rollcall.NewServer(rollcall.ServerOptions{}).ListenAndServe(within(t), first.addr)
	if err == nil || !strings.Contains(err.Error(), first.addr) || !strings.Contains(err.Error(), "in use") {
		t.Errorf("got %v, want an error that names %s", err, first.addr)
	}
}

func TestServeOnce(t *testing.T) {
	s := start(t, "", rollcall.ServerOptions{}, func(*rollcall.Server) {})
	s.drain()
	<-s.ended
	if err := s.ListenAndServe(within(t), "127.0.0.1:0"); err == nil {
		t.Error("Serve was called twice without an error")
	}
}

func TestCloseEndsServe(t *testing.T) {
	s := start(t, "", rollcall.ServerOptions{}, func(*rollcall.Server) {})
	s.Close()
	<-s.ended
	if !errors.Is(s.err, rollcall.ErrServerClosed) {
		t.Errorf("Serve returned %v, want ErrServerClosed", s.err)
	}
	if err := rollcall.NewServer(rollcall.ServerOptions{}).Close(); err != nil {
		t.Errorf("closing a server that never served: %v", err)
	}
}

func TestWhatTheListShows(t *testing.T) {
	registry := new(discovery.Memory)
	s := start(t, "", rollcall.ServerOptions{
		Registrar: registry, Weight: -1, Zone: "z", Version: "v1", Metadata: map[string]string{"k": "v"},
		Protocols: []rollcall.Protocol{shout},
	}, func(*rollcall.Server) {})
	in := instances(t, registry)[0]
	if in.Addr() != s.addr || in.Weight != 0 || in.Zone != "z" || in.Version != "v1" || in.Metadata["k"] != "v" {
		t.Errorf("got %+v", in)
	}
	if got := strings.Join(in.Protocols, " "); got != "rollcall/1 shout" {
		t.Errorf("protocols: %s", got)
	}
	if len(in.ID) != 16 {
		t.Errorf("the id %q does not have 16 digits", in.ID)
	}
	s.drain()
	<-s.ended
	if list := instances(t, registry); len(list) != 0 {
		t.Errorf("left in the list: %v", list)
	}
	if _, err := s.Registered(within(t)); !errors.Is(err, discovery.ErrDeregistered) {
		t.Errorf("got %v, want ErrDeregistered", err)
	}
}

// A handler that does not end within DrainTimeout is cancelled, and Serve still
// returns nil.
func TestDrainTimeoutCancelsWhatIsInFlight(t *testing.T) {
	hang := rollcall.Method[string, string]{Name: "Hang"}
	begun := make(chan struct{})
	s := start(t, "", rollcall.ServerOptions{DrainDelay: -1, DrainTimeout: 10 * time.Millisecond}, func(s *rollcall.Server) {
		rollcall.Handle(s, hang, func(ctx context.Context, _ *string) (*string, error) {
			close(begun)
			<-ctx.Done()
			return nil, ctx.Err()
		})
	})
	c := staticClient(t, s.addr)
	result := make(chan error, 1)
	go func() {
		_, err := hang.Call(within(t), c, new(""))
		result <- err
	}()
	<-begun
	s.drain()
	<-s.ended
	if s.err != nil {
		t.Errorf("Serve returned %v", s.err)
	}
	var e *rollcall.Error
	if err := <-result; !errors.As(err, &e) || e.Executed == rollcall.ExecutedNo {
		t.Errorf("got %v, want an error that does not claim that nothing ran", err)
	}
}

// What is in flight when a drain begins is finished.
func TestDrainFinishesWhatIsInFlight(t *testing.T) {
	slow := rollcall.Method[string, string]{Name: "Slow"}
	begun, finish := make(chan struct{}), make(chan struct{})
	s := start(t, "", rollcall.ServerOptions{DrainDelay: -1}, func(s *rollcall.Server) {
		rollcall.Handle(s, slow, func(context.Context, *string) (*string, error) {
			close(begun)
			<-finish
			return new("done"), nil
		})
	})
	c := staticClient(t, s.addr)
	result := make(chan error, 1)
	go func() {
		_, err := slow.Call(within(t), c, new(""))
		result <- err
	}()
	<-begun
	s.drain()
	// A refused connection shows that the drain has come past its announcement.
	for {
		conn, err := meeting.dial(t, s.addr)
		if err != nil {
			break
		}
		conn.Close()
	}
	close(finish)
	if err := <-result; err != nil {
		t.Error(err)
	}
	<-s.ended
}

// shout is a foreign protocol: a line that begins with '!' is answered in upper
// case.
var shout = rollcall.Protocol{
	Name: "shout",
	Match: func(first []byte) rollcall.Verdict {
		switch {
		case first[0] != '!':
			return rollcall.MatchNo
		case len(first) < 2:
			return rollcall.MatchMaybe
		}
		return rollcall.MatchYes
	},
	Serve: func(ctx context.Context, conn net.Conn, _ *rollcall.Server) error {
		stop := context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Unix(1, 0)) }) //nolint:errcheck // it ends the read
		defer stop()
		r := bufio.NewReader(conn)
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				if ctx.Err() != nil || errors.Is(err, io.EOF) {
					return nil
				}
				return err
			}
			if _, err := io.WriteString(conn, strings.ToUpper(line)); err != nil {
				return err
			}
		}
	},
}

// shouter is the client's side of shout.
type shouter struct {
	conn net.Conn
	r    *bufio.Reader
}

func (s *shouter) Call(ctx context.Context, req rollcall.Request) (rollcall.Reply, error) {
	deadline, _ := ctx.Deadline()
	s.conn.SetDeadline(deadline) //nolint:errcheck // a dead connection fails the call
	if _, err := fmt.Fprintf(s.conn, "!%s\n", req.Body); err != nil {
		return rollcall.Reply{}, err
	}
	line, err := s.r.ReadString('\n')
	return rollcall.Reply{Body: []byte(strings.Trim(line, "!\n"))}, err
}

func (s *shouter) Close() error { return s.conn.Close() }

func TestForeignProtocolOnTheSamePort(t *testing.T) {
	registry := new(discovery.Memory)
	s := start(t, "", rollcall.ServerOptions{Registrar: registry, Protocols: []rollcall.Protocol{shout}}, func(s *rollcall.Server) {
		rollcall.Handle(s, divide, divideOn("a"))
	})
	own := newClient(t, registry, rollcall.ClientOptions{})
	if _, err := divide.Call(within(t), own, &fraction{Num2: 1}); err != nil {
		t.Error(err)
	}
	// A neighbour that does not speak Rollcall's protocol, on the same list.
	in := instances(t, registry)[0]
	in.Protocols = nil
	foreign := newClient(t, listOf(in), rollcall.ClientOptions{
		DefaultProtocol: "shout",
		Dialects: []rollcall.Dialect{{Protocol: "shout", Dial: func(_ context.Context, _ discovery.Instance, conn net.Conn) (rollcall.Caller, error) {
			return &shouter{conn: conn, r: bufio.NewReader(conn)}, nil
		}}},
	})
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			word := fmt.Sprintf("word%d", i)
			got, err := foreign.Invoke(within(t), "shout", []byte(word), rollcall.CallOptions{})
			if err != nil || string(got) != strings.ToUpper(word) {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
	wg.Wait()
	s.drain()
	<-s.ended // idle foreign connections do not hold up the drain
}

// Strangers on the port are closed and logged once; a health probe is not even
// logged.
func TestStrangersOnThePort(t *testing.T) {
	var mu sync.Mutex
	var out bytes.Buffer
	logger := slog.New(slog.NewTextHandler(writerFunc(func(b []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return out.Write(b)
	}), nil))
	s := start(t, "", rollcall.ServerOptions{Logger: logger, Protocols: []rollcall.Protocol{shout}}, func(s *rollcall.Server) {
		rollcall.Handle(s, divide, divideOn("a"))
	})
	for _, sent := range []string{"", "GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01", "\x00\x00\x00\x06divide", "!"} {
		conn := dialRaw(t, s.addr)
		io.WriteString(conn, sent) //nolint:errcheck // the server may close it first
		conn.CloseWrite()          //nolint:errcheck // likewise
		if got, err := io.ReadAll(conn); len(got) > 0 {
			t.Errorf("%q was answered %q, %v", sent, got, err)
		}
		conn.Close()
	}
	if _, err := divide.Call(within(t), staticClient(t, s.addr), &fraction{Num2: 1}); err != nil {
		t.Errorf("the server is not left running: %v", err)
	}
	s.Close()
	mu.Lock()
	defer mu.Unlock()
	if n := strings.Count(out.String(), "no known protocol"); n != 1 {
		t.Errorf("%d lines about strangers, want 1 in a second:\n%s", n, &out)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// Connections that say nothing take no more places than there are, and keep nobody
// out: each newcomer takes the place of the oldest.
func TestFloodOfSilentConnections(t *testing.T) {
	only(t, "TLS says something", "tcp", "memory")
	const places = 10
	s := start(t, "", rollcall.ServerOptions{MaxPendingConnections: places}, func(s *rollcall.Server) {
		rollcall.Handle(s, divide, divideOn("a"))
	})
	c := staticClient(t, s.addr)
	if err := c.Ready(within(t)); err != nil {
		t.Fatal(err)
	}
	var conns []net.Conn
	for range places + 1 {
		conns = append(conns, dialRaw(t, s.addr))
	}
	first := conns[0]
	first.SetReadDeadline(time.Now().Add(patience)) //nolint:errcheck // a dead connection fails the read
	if _, err := first.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v, want a closed connection", err)
	}
	newcomer := staticClient(t, s.addr)
	for _, c := range []*rollcall.Client{c, newcomer} {
		if _, err := divide.Call(within(t), c, &fraction{Num2: 1}); err != nil {
			t.Error(err)
		}
	}
}

// A server that was closed before it began does not join the list for a moment.
func TestCloseBeforeServe(t *testing.T) {
	registry := new(discovery.Memory)
	joined := 0
	s := rollcall.NewServer(rollcall.ServerOptions{Registrar: countingRegistrar{registry, &joined}, ID: "a"})
	s.Close()
	if err := s.ListenAndServe(within(t), "127.0.0.1:0"); !errors.Is(err, rollcall.ErrServerClosed) || joined != 0 {
		t.Errorf("got %v after joining %d lists, want ErrServerClosed and none", err, joined)
	}
}

// countingRegistrar counts the registrations.
type countingRegistrar struct {
	discovery.Registrar
	n *int
}

func (r countingRegistrar) Register(in discovery.Instance) (discovery.Registration, error) {
	*r.n++
	return r.Registrar.Register(in)
}
