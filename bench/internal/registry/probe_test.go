// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall/internal/realtest"
	"github.com/rollcall-rpc/rollcall/zk/jute"
	"github.com/rollcall-rpc/rollcall/zk/zkserver"
)

const (
	serveCommand   = "serve"
	socketsCommand = "sockets"
)

// TestMain lets the test binary be the registry that is measured.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && (os.Args[1] == serveCommand || os.Args[1] == socketsCommand) {
		if err := serve(os.Args[1], os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func serve(command, config string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	f, err := os.Open(config)
	if err != nil {
		return err
	}
	cfg, _, err := zkserver.ParseConfig(f)
	if err != nil {
		return err
	}
	if command == socketsCommand {
		return ServeSockets(ctx, cfg.Address)
	}
	srv, err := zkserver.New(cfg.Options)
	if err != nil {
		return err
	}
	return errors.Join(srv.ListenAndServe(ctx, cfg.Address), srv.Close())
}

func quickBench(t *testing.T) *Bench {
	t.Helper()
	return benchOf(t, Rollcall(executable(t), serveCommand))
}

func executable(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func benchOf(t *testing.T, system System) *Bench {
	t.Helper()
	b, err := NewBench(t.Context(), system, Options{
		Dir: t.TempDir(), Warmup: 5 * time.Millisecond, Duration: 50 * time.Millisecond,
		Rounds: 3, Watchers: 20, Children: 100, Znodes: 800,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// TestProbes takes every measurement, briefly.
func TestProbes(t *testing.T) {
	testProbes(t, quickBench(t), 17)
}

// TestSockets takes those that sockets alone can answer.
func TestSockets(t *testing.T) {
	testProbes(t, benchOf(t, Sockets(executable(t), socketsCommand)), 4)
}

// testProbes takes so many measurements.
func testProbes(t *testing.T, b *Bench, want int) {
	t.Helper()
	_, err := b.server.CPU()
	realtest.Require(t, "another process's clock", !errors.Is(err, errors.ErrUnsupported), "Linux has it")
	for _, p := range Probes() {
		if !b.System.Can(&p) {
			continue
		}
		want--
		values, err := p.Run(t.Context(), b)
		if errors.Is(err, errNoAnswer) {
			continue // a busy machine
		}
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range values {
			if v <= 0 {
				t.Errorf("%s: got %g, want more", p.Figures[i].Name, v)
			}
		}
	}
	if want != 0 {
		t.Errorf("%d probes too few", want)
	}
}

// TestWrongReplies gives each stream a wrong reply.
func TestWrongReplies(t *testing.T) {
	data := []byte("data")
	made := creates(&names{parent: "/p"}, data)
	gone := deletes(&names{parent: "/p", limit: 1})
	for name, c := range map[string]struct {
		stream stream
		reply  []byte
		want   string
	}{
		"constant": {&constant{code: jute.OpGetData, want: []byte{1, 2}}, []byte{1, 3}, "0103, want 0102"},
		"set":      {&sets{request: jute.SetDataRequest{Data: data}, version: 6}, (&jute.Stat{Version: 8}).Append(nil), "want version 7"},
		"short":    {&sets{request: jute.SetDataRequest{Data: data}}, []byte{1}, "want version 1"},
		"create":   {made, jute.AppendString(nil, "/p/n2"), `want "/p/n0000000001"`},
		"delete":   {gone, []byte{1}, "got 1 bytes behind the header"},
		"sequence": {newSequences("/p", data), jute.AppendString(nil, "/p/s-1"), errSequence.Error()},
	} {
		if _, ok := c.stream.next(nil); !ok {
			t.Errorf("%s: no request", name)
		}
		if err := c.stream.check(jute.ReplyHeader{}, c.reply); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error that says %q", name, err, c.want)
		}
	}
	if _, ok := gone.next(nil); ok {
		t.Error("a delete beyond the last name")
	}
}

// TestServerEndsEarly has a registry end while it starts: what it said is named.
func TestServerEndsEarly(t *testing.T) {
	system := Rollcall("sh", "-c", "exit 1")
	if _, err := system.Start(t.Context(), t.TempDir()); err == nil || !strings.Contains(err.Error(), logName) {
		t.Errorf("got %v, want an error that names %s", err, logName)
	}
}

// TestDialRefusesWhatIsNoRegistry meets a server that hangs up.
func TestDialRefusesWhatIsNoRegistry(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		if conn, err := l.Accept(); err == nil {
			_ = conn.Close()
		}
	}()
	if _, err := dial(t.Context(), l.Addr().String()); err == nil || !strings.Contains(err.Error(), "handshake") {
		t.Errorf("got %v, want that the handshake failed", err)
	}
}

func TestFigureMet(t *testing.T) {
	for _, c := range []struct {
		figure       Figure
		value, ratio float64
		want         bool
	}{
		{Figure{Bar: 0.25}, 9, 0.25, true},
		{Figure{Bar: 0.25}, 9, 0.26, false},
		{Figure{Bar: 2, More: true}, 9, 2.1, true},
		{Figure{Bar: 2, More: true}, 9, 1.9, false},
		{Figure{Limit: 1000}, 999, 5, true},
		{Figure{Limit: 1000}, 1001, 0.1, false},
		{Figure{}, 1, 100, true},
	} {
		if got := c.figure.Met(c.value, c.ratio); got != c.want {
			t.Errorf("%+v with %g and %g: got %t, want %t", c.figure, c.value, c.ratio, got, c.want)
		}
	}
}
