// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-rpc/rollcall/internal/execlog"
)

func testService(t *testing.T) (*Service, *Gate, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "log")
	log, err := execlog.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	gate, err := NewGate(loopback + ":0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		gate.Close()
		log.Close()
	})
	return NewService(log, gate), gate, path
}

// A call is noted whatever the service does with it then.
func TestServiceExecutes(t *testing.T) {
	s, _, path := testService(t)
	synctest.Test(t, func(t *testing.T) {
		for order, want := range map[string]struct {
			took time.Duration
			err  error
		}{
			"":               {Work, nil},
			"work 1h":        {time.Hour, nil},
			orderUnavailable: {0, ErrUnavailable},
		} {
			if order != "" {
				if _, err := s.obey(order); err != nil {
					t.Fatal(err)
				}
			}
			begun := time.Now()
			if err := s.Execute(t.Context(), 1); !errors.Is(err, want.err) || time.Since(begun) != want.took {
				t.Errorf("%q: %v after %v, want %v after %v", order, err, time.Since(begun), want.err, want.took)
			}
			if _, err := s.obey(orderWell); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(io.EOF)
		if err := s.Execute(ctx, 1); !errors.Is(err, io.EOF) {
			t.Errorf("of a caller that is gone: %v, want its cause", err)
		}
	})
	if counts, err := execlog.Read(path); err != nil || counts[1] != 4 {
		t.Errorf("noted %v, %v; want 4 times", counts, err)
	}
}

// Only the next call is slow once.
func TestServiceIsSlowOnce(t *testing.T) {
	s, _, _ := testService(t)
	synctest.Test(t, func(t *testing.T) {
		for _, then := range []string{orderUsage, orderWell} {
			if _, err := s.obey(orderOnce + "1h"); err != nil {
				t.Fatal(err)
			}
			if _, err := s.obey(then); err != nil {
				t.Fatal(err)
			}
			want := []time.Duration{time.Hour, Work}
			if then == orderWell {
				want = want[1:]
			}
			for i, want := range want {
				begun := time.Now()
				if err := s.Execute(t.Context(), 1); err != nil || time.Since(begun) != want {
					t.Errorf("call %d after %q: %v, %v; want %v", i, then, time.Since(begun), err, want)
				}
			}
		}
	})
	if _, err := s.obey(orderOnce + "soon"); err == nil {
		t.Error("no duration is taken for one")
	}
}

// Calls of Hold are done one after the other, also if nobody waits for them.
func TestServiceHolds(t *testing.T) {
	s, _, path := testService(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	begun := time.Now()
	var calls sync.WaitGroup
	for id := range uint64(3) {
		calls.Go(func() {
			if err := s.Hold(ctx, id); err != nil {
				t.Error(err)
			}
		})
	}
	calls.Wait()
	if took := time.Since(begun); took < 3*holding {
		t.Errorf("three calls took %v, want three times %v", took, holding)
	}
	if counts, err := execlog.Read(path); err != nil || len(counts) != 3 {
		t.Errorf("noted %v, %v; want each", counts, err)
	}
}

// A service tells what it has used: connections at once, and calls.
func TestServiceTellsUsage(t *testing.T) {
	s, gate, _ := testService(t)
	echoServer(t, gate)
	var conns []net.Conn
	for range 3 { // two at once
		if len(conns) == 2 {
			conns[0].(*net.TCPConn).CloseWrite() //nolint:errcheck // it is looked at
			if _, err := conns[0].Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
		}
		conn := dial(t, gate.Addr().String())
		say(t, conn, 'a')
		hear(t, conn, 'a')
		conns = append(conns, conn)
	}
	for id := range uint64(5) {
		if err := s.Execute(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	var u usage
	answer, err := s.obey(orderUsage)
	if err == nil {
		err = json.Unmarshal([]byte(answer), &u)
	}
	if err != nil || u.Connections != 2 || u.Executed != 5 {
		t.Errorf("got %+v of %q, %v; want 2 connections and 5 calls", u, answer, err)
	}
}

// The gate resets and refuses, and admits again on the same port, while somebody
// accepts from it all the time.
func TestServiceRefuses(t *testing.T) {
	s, gate, _ := testService(t)
	echoServer(t, gate)
	in, order := io.Pipe()
	answers, out := io.Pipe()
	obeyed := make(chan error, 1)
	go func() { obeyed <- s.Obey(in, out) }()
	lines := bufio.NewReader(answers)
	tell := func(line string) {
		t.Helper()
		if _, err := io.WriteString(order, line+"\n"); err != nil {
			t.Fatal(err)
		}
		if got, err := lines.ReadString('\n'); got != acknowledged+"\n" {
			t.Fatalf("%s: %q, %v", line, got, err)
		}
	}
	conn := dial(t, gate.Addr().String())
	say(t, conn, 'a')
	hear(t, conn, 'a')
	tell(orderRefuse)
	if _, err := conn.Read(make([]byte, 1)); err == nil || isTimeout(err) {
		t.Errorf("a connection from before: got %v, want a reset", err)
	}
	if conn, err := net.Dial("tcp", gate.Addr().String()); err == nil {
		conn.Close()
		t.Error("the port is open")
	}
	tell(orderWell)
	conn = dial(t, gate.Addr().String())
	say(t, conn, 'b')
	hear(t, conn, 'b')
	if _, err := io.WriteString(order, "dance\n"); err != nil {
		t.Fatal(err)
	}
	if err := <-obeyed; err == nil {
		t.Error("an order that is not known is obeyed")
	}
}

func TestPeakMemory(t *testing.T) {
	if got := peakMemory(os.Getpid()); (runtime.GOOS == "linux") != (got > 1<<20 && got < 1<<40) {
		t.Errorf("got %d bytes, want some MiB on Linux", got)
	}
}
