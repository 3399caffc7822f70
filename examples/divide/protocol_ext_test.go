// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package divide_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/examples/divide"
)

const (
	sixByThree  = "00 00 00 06 | 64 69 76 69 64 65 | 00 00 00 0a | 01 00 00 00 06 | 02 00 00 00 03"
	six         = "00 00 00 06 | 64 69 76 69 64 65 | 00 00 00 05 | 01 00 00 00 06"
	oneByZero   = "00 00 00 06 | 64 69 76 69 64 65 | 00 00 00 0a | 01 00 00 00 01 | 02 00 00 00 00"
	two         = "01 | 40 00 00 00"
	sixAnswer   = "01 | 40 c0 00 00"
	errorAnswer = "02 | 00 00 00 11 | 69 6e 76 61 6c 69 64 20 6f 70 65 72 61 74 69 6f 6e"
)

type handler = func(context.Context, *divide.Fraction) (*divide.Quotient, error)

// served is a connection that a Protocol serves in a test.
type served struct {
	net.Conn
	result chan error // of Serve
}

// servePipe serves one end of a pipe and returns the other.
func servePipe(t *testing.T, ctx context.Context, h handler) *served {
	t.Helper()
	near, far := net.Pipe()
	s := &served{Conn: near, result: make(chan error, 1)}
	srv := rollcall.NewServer(rollcall.ServerOptions{Logger: slog.New(slog.DiscardHandler)})
	rollcall.Handle(srv, divide.Divide, h)
	go func() {
		err := divide.Protocol().Serve(ctx, far, srv)
		far.Close()
		s.result <- err
	}()
	t.Cleanup(func() { near.Close() })
	return s
}

// exchange sends a request and expects a reply.
func exchange(t *testing.T, conn net.Conn, request, reply string) {
	t.Helper()
	if _, err := conn.Write(unhex(t, request)); err != nil {
		t.Fatal(err)
	}
	expect(t, conn, reply)
}

func expect(t *testing.T, conn net.Conn, reply string) {
	t.Helper()
	want := unhex(t, reply)
	got := make([]byte, len(want))
	if _, err := io.ReadFull(conn, got); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("reply % x, want % x", got, want)
	}
}

func TestMatch(t *testing.T) {
	tests := []struct {
		first string
		want  rollcall.Verdict
	}{
		{"00", rollcall.MatchMaybe},
		{"00 00", rollcall.MatchMaybe},
		{"00 00 00", rollcall.MatchMaybe},
		{"00 00 00 01", rollcall.MatchYes},
		{"00 00 00 ff", rollcall.MatchYes},
		{six, rollcall.MatchYes},
		{"00 00 00 00", rollcall.MatchNo},
		{"00 00 01 00", rollcall.MatchNo},
		{"01", rollcall.MatchNo},
		{"47 45 54 20", rollcall.MatchNo},
	}
	match := divide.Protocol().Match
	for _, tt := range tests {
		if got := match(unhex(t, tt.first)); got != tt.want {
			t.Errorf("Match(%s) = %v, want %v", tt.first, got, tt.want)
		}
	}
}

func TestServeRequests(t *testing.T) {
	conn := servePipe(t, t.Context(), divide.Handler)
	exchange(t, conn, sixByThree, two)
	exchange(t, conn, oneByZero, errorAnswer)
	exchange(t, conn, six, sixAnswer)
	conn.Close()
	if err := <-conn.result; err != nil {
		t.Errorf("Serve = %v after the connection's end, want nil", err)
	}
}

func TestServeRequestsSentAtOnce(t *testing.T) {
	conn := servePipe(t, t.Context(), divide.Handler)
	exchange(t, conn, sixByThree+six, two)
	expect(t, conn, sixAnswer)
}

func TestServeRequestByteByByte(t *testing.T) {
	conn := servePipe(t, t.Context(), divide.Handler)
	for _, b := range unhex(t, sixByThree) {
		if _, err := conn.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
	}
	expect(t, conn, two)
}

func TestServeCutRequest(t *testing.T) {
	wire := unhex(t, sixByThree)
	for cut := range wire {
		conn := servePipe(t, t.Context(), divide.Handler)
		if _, err := conn.Write(wire[:cut]); err != nil {
			t.Fatal(err)
		}
		conn.Close()
		err := <-conn.result
		if cut == 0 && err != nil {
			t.Errorf("Serve = %v for a connection without a request, want nil", err)
		}
		if cut > 0 && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("Serve = %v after %d bytes, want io.ErrUnexpectedEOF", err, cut)
		}
	}
}

func TestServeStopsWhileIdle(t *testing.T) {
	for _, sent := range []string{"", "00 00", "00 00 00 06 | 64 69"} {
		ctx, cancel := context.WithCancel(t.Context())
		conn := servePipe(t, ctx, divide.Handler)
		exchange(t, conn, six, sixAnswer)
		if _, err := conn.Write(unhex(t, sent)); err != nil {
			t.Fatal(err)
		}
		cancel()
		if err := <-conn.result; err != nil {
			t.Errorf("Serve = %v after %q and the end of its context, want nil", err, sent)
		}
	}
}

func TestServeFinishesTheRequestInHand(t *testing.T) {
	begun, release := make(chan context.Context), make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	conn := servePipe(t, ctx, func(ctx context.Context, f *divide.Fraction) (*divide.Quotient, error) {
		begun <- ctx
		<-release
		return divide.Handler(ctx, f)
	})
	// The second request is there already, and must not be begun.
	if _, err := conn.Write(unhex(t, sixByThree+six)); err != nil {
		t.Fatal(err)
	}
	handling := <-begun
	cancel()
	if handling.Err() != nil {
		t.Error("the handler's context ends with the server's work, want it to go on")
	}
	close(release)
	expect(t, conn, two)
	if n, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("after the reply: %d bytes, %v, want io.EOF", n, err)
	}
	if err := <-conn.result; err != nil {
		t.Errorf("Serve = %v, want nil", err)
	}
}

func TestHandlerEndsWithTheConnection(t *testing.T) {
	begun := make(chan struct{})
	conn := servePipe(t, t.Context(), func(ctx context.Context, _ *divide.Fraction) (*divide.Quotient, error) {
		close(begun)
		<-ctx.Done()
		return nil, ctx.Err()
	})
	if _, err := conn.Write(unhex(t, six)); err != nil {
		t.Fatal(err)
	}
	<-begun
	conn.Close()
	if err := <-conn.result; !errors.Is(err, context.Canceled) {
		t.Errorf("Serve = %v, want the handler's context.Canceled", err)
	}
}

// logLines is a log that tests read: its warnings and errors, a line each.
type logLines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logLines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *logLines) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := strings.TrimSuffix(l.buf.String(), "\n")
	l.buf.Reset()
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

// startServer serves h in both protocols on loopback until the test ends.
func startServer(t *testing.T, h handler) (addr string, log *logLines) {
	t.Helper()
	log = new(logLines)
	logger := slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn}))
	srv := rollcall.NewServer(rollcall.ServerOptions{
		Protocols: []rollcall.Protocol{divide.Protocol()},
		Logger:    logger,
	})
	rollcall.Handle(srv, divide.Divide, h)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	result := make(chan error, 1)
	go func() { result <- srv.Serve(context.Background(), l) }()
	t.Cleanup(func() {
		srv.Close()
		if err := <-result; !errors.Is(err, rollcall.ErrServerClosed) {
			t.Errorf("Serve = %v, want ErrServerClosed", err)
		}
	})
	return l.Addr().String(), log
}

func dial(t *testing.T, addr string) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn.(*net.TCPConn)
}

// expectClosed expects the end of a connection without another byte. Bytes that
// the server has not read make that a reset.
func expectClosed(t *testing.T, conn net.Conn) {
	t.Helper()
	if n, err := conn.Read(make([]byte, 1)); n > 0 || err == nil {
		t.Errorf("read %d bytes, %v, want a closed connection", n, err)
	}
}

func TestMalformedRequestsOnTheWire(t *testing.T) {
	for _, tt := range malformedRequests {
		for _, before := range []int{0, 2} {
			t.Run(tt.name, func(t *testing.T) {
				addr, log := startServer(t, divide.Handler)
				conn := dial(t, addr)
				for range before {
					exchange(t, conn, six, sixAnswer)
				}
				if _, err := conn.Write(unhex(t, tt.wire)); err != nil {
					t.Fatal(err)
				}
				expectClosed(t, conn)
				lines := log.take()
				if len(lines) != 1 || !strings.Contains(lines[0], "connection closed") {
					t.Fatalf("log after %d requests and a malformed one: %q, want one line that the connection was closed", before, lines)
				}
				// What is no name's length at all is not this protocol's to begin with.
				if unmatched := before == 0 && tt.field == "name length"; !unmatched && !strings.Contains(lines[0], tt.field) {
					t.Errorf("log line %q does not name the %s", lines[0], tt.field)
				}
				exchange(t, dial(t, addr), sixByThree, two)
			})
		}
	}
}

func TestCutRequestOnTheWire(t *testing.T) {
	addr, log := startServer(t, divide.Handler)
	conn := dial(t, addr)
	if _, err := conn.Write(unhex(t, six)[:14]); err != nil {
		t.Fatal(err)
	}
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	expectClosed(t, conn)
	if lines := log.take(); len(lines) != 1 || !strings.Contains(lines[0], "after 14 of at least 19 bytes") {
		t.Errorf("log %q, want one line with the bytes that came and those that are missing", lines)
	}
	exchange(t, dial(t, addr), six, sixAnswer)
}

// TestHandlerAnswersWithoutForm checks what a handler can return that the format
// cannot tell.
func TestHandlerAnswersWithoutForm(t *testing.T) {
	invalid := func(message string) error {
		return &rollcall.Error{Code: rollcall.CodeInvalidArgument, Reason: divide.ReasonInvalidOperation, Message: message}
	}
	tests := []struct {
		name string
		h    handler
		log  string
	}{
		{"other error", func(context.Context, *divide.Fraction) (*divide.Quotient, error) {
			return nil, errors.New("out of paper")
		}, "out of paper"},
		{"message too long", func(context.Context, *divide.Fraction) (*divide.Quotient, error) {
			return nil, invalid(strings.Repeat("x", divide.MaxMessageBytes+1))
		}, "message length 65537"},
		{"panic", func(context.Context, *divide.Fraction) (*divide.Quotient, error) {
			panic("out of ink")
		}, "out of ink"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			addr, log := startServer(t, func(ctx context.Context, f *divide.Fraction) (*divide.Quotient, error) {
				if f.Num2 == nil {
					return tt.h(ctx, f)
				}
				return divide.Handler(ctx, f)
			})
			conn := dial(t, addr)
			exchange(t, conn, sixByThree, two)
			if _, err := conn.Write(unhex(t, six)); err != nil {
				t.Fatal(err)
			}
			expectClosed(t, conn)
			if lines := log.take(); len(lines) != 1 || !strings.Contains(lines[0], tt.log) {
				t.Errorf("log %q, want one line with %q", lines, tt.log)
			}
			exchange(t, dial(t, addr), sixByThree, two)
		})
	}
}

func TestHandlerAnswersWithForm(t *testing.T) {
	tests := []struct {
		name  string
		h     handler
		reply string
	}{
		{"nothing", func(context.Context, *divide.Fraction) (*divide.Quotient, error) { return nil, nil }, "01 00000000"},
		{"another message", func(context.Context, *divide.Fraction) (*divide.Quotient, error) {
			return nil, rollcall.Errorf(rollcall.CodeInvalidArgument, divide.ReasonInvalidOperation, "no")
		}, "02 00000002 6e6f"},
		{"no message", func(context.Context, *divide.Fraction) (*divide.Quotient, error) {
			return nil, &rollcall.Error{Code: rollcall.CodeInvalidArgument, Reason: divide.ReasonInvalidOperation}
		}, errorAnswer},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			exchange(t, servePipe(t, t.Context(), tt.h), six, tt.reply)
		})
	}
}
