// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/frame"
	"github.com/rollcall-rpc/rollcall/internal/memnet"
)

// stuckServer serves a handler on a network in memory, and returns a connection to
// it on which the preface was sent.
func stuckServer(t *testing.T, opts rollcall.ServerOptions, reply int, begun *atomic.Int32) (conn *memnet.Conn, s *rollcall.Server, drain func() error) {
	t.Helper()
	var network memnet.Network
	l, err := network.Listen("server:1")
	if err != nil {
		t.Fatal(err)
	}
	s = rollcall.NewServer(opts)
	rollcall.Handle(s, rollcall.Method[[]byte, []byte]{Name: "M"}, func(context.Context, *[]byte) (*[]byte, error) {
		begun.Add(1)
		return new(make([]byte, reply)), nil
	})
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, l) }()
	dialed, err := network.Dial(t.Context(), "tcp", "server:1")
	if err != nil {
		t.Fatal(err)
	}
	conn = dialed.(*memnet.Conn)
	write(t, conn, frame.AppendPreface(nil, frame.Preface{}))
	return conn, s, func() error {
		cancel()
		return <-served
	}
}

func write(t *testing.T, conn *memnet.Conn, b []byte) {
	t.Helper()
	if _, err := conn.Write(b); err != nil {
		t.Error(err)
	}
}

// request is a frame of the method M.
func request(id uint64, flags frame.Flags, body []byte) []byte {
	payload := frame.AppendRequest(nil, &frame.Request{Method: []byte("M"), Body: body})
	return append(frame.AppendHeader(nil, frame.Header{Type: frame.TypeRequest, Flags: flags, StreamID: id, Length: uint32(len(payload))}), payload...)
}

// A client that does not read is left after 15 s, and a drain does not wait for it.
func TestClientThatDoesNotRead(t *testing.T) {
	for _, drains := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var begun atomic.Int32
			conn, s, drain := stuckServer(t, rollcall.ServerOptions{}, 1<<20, &begun)
			for id := range uint64(10) {
				write(t, conn, request(id+1, 0, nil))
			}
			synctest.Wait()
			if n := begun.Load(); n == 0 {
				t.Fatal("no request was handled")
			}
			at := time.Now()
			if drains {
				if err := drain(); err != nil {
					t.Error(err)
				}
				if took := time.Since(at); took > 5*time.Second {
					t.Errorf("the drain took %v", took)
				}
				return
			}
			for s.State().Open > 0 && time.Since(at) < time.Minute {
				time.Sleep(time.Second)
			}
			if took := time.Since(at); took < 10*time.Second || took > 25*time.Second {
				t.Errorf("left after %v, want after 15 s and a look", took)
			}
			drain() //nolint:errcheck // nothing is left of it
		})
	}
}

// Unfinished requests of a stranger are bounded: the connection that holds the
// oldest of them ends, and others send what they like.
func TestUnfinishedRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var begun atomic.Int32
		conn, s, drain := stuckServer(t, rollcall.ServerOptions{MaxBufferedBytes: 1 << 20}, 0, &begun)
		piece := make([]byte, 60<<10) // in memory of 128 KiB, for there is more to come
		for id := range uint64(9) {
			write(t, conn, request(id+1, frame.FlagMore, piece))
		}
		synctest.Wait()
		if n := s.State().Open; n != 0 {
			t.Errorf("%d connections are open, want that of the stranger closed", n)
		}
		drain() //nolint:errcheck // nothing is left of it
	})
}
