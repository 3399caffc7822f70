// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package echo

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
)

// serve runs a system's server for the test and returns its address.
func serve(t *testing.T, s *System) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return l.Addr().String()
}

func dial(t *testing.T, s *System, addr string) Conn {
	t.Helper()
	conn, err := s.Dial(t.Context(), addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// TestEcho sends every size that the workloads use, and the edges of the frames
// and buffers, through every system.
func TestEcho(t *testing.T) {
	for _, s := range All() {
		t.Run(s.Name, func(t *testing.T) {
			addr := serve(t, &s)
			for _, size := range []int{0, 1, 32, 1 << 10, 64 << 10, 64<<10 + 1, rawBuffer - rawHeader, rawBuffer, maxPayload} {
				echo := dial(t, &s, addr).Caller(size)
				for i := range 3 {
					payload := bytes.Repeat([]byte{byte(i + 1)}, size)
					reply, err := echo(payload)
					if err != nil || !bytes.Equal(reply, payload) {
						t.Fatalf("size %d, call %d: got %d bytes, %v", size, i, len(reply), err)
					}
				}
			}
		})
	}
}

// TestEchoShared has callers share connections: nobody gets another's reply.
func TestEchoShared(t *testing.T) {
	for _, s := range All() {
		if s.Lone {
			continue
		}
		t.Run(s.Name, func(t *testing.T) {
			addr := serve(t, &s)
			var wg sync.WaitGroup
			for range 2 {
				conn := dial(t, &s, addr)
				for i := range 10 {
					echo := conn.Caller(3000 + i)
					wg.Go(func() {
						for j := range 50 {
							payload := bytes.Repeat([]byte{byte(i), byte(j), 7}, 1000+i)[:3000+i]
							reply, err := echo(payload)
							if err != nil || !bytes.Equal(reply, payload) {
								t.Errorf("caller %d, call %d: got %d bytes, %v", i, j, len(reply), err)
								return
							}
						}
					})
				}
			}
			wg.Wait()
		})
	}
}

// TestServerGone ends the server while connections are open: calls fail, and
// those that come later too.
func TestServerGone(t *testing.T) {
	for _, s := range All() {
		t.Run(s.Name, func(t *testing.T) {
			var conn Conn
			t.Run("serving", func(t *testing.T) {
				addr := serve(t, &s)
				var err error
				if conn, err = s.Dial(t.Context(), addr); err != nil {
					t.Fatal(err)
				}
				if _, err := conn.Caller(8)(make([]byte, 8)); err != nil {
					t.Fatal(err)
				}
			})
			defer conn.Close()
			echo := conn.Caller(8)
			for range 2 {
				if _, err := echo(make([]byte, 8)); err == nil {
					t.Error("a call without a server succeeded")
				}
			}
		})
	}
}

// TestCloseFailsCalls closes a connection under its caller.
func TestCloseFailsCalls(t *testing.T) {
	for _, s := range All() {
		t.Run(s.Name, func(t *testing.T) {
			conn := dial(t, &s, serve(t, &s))
			echo := conn.Caller(8)
			failed := make(chan error, 1)
			begun := make(chan struct{})
			go func() {
				for n := 0; ; n++ {
					if _, err := echo(make([]byte, 8)); err != nil {
						failed <- err
						return
					}
					if n == 0 {
						close(begun)
					}
				}
			}()
			<-begun
			conn.Close()
			if err := <-failed; err == nil {
				t.Error("calls go on")
			}
		})
	}
}

func TestFind(t *testing.T) {
	found, err := Find("drpc", "r1")
	if got, want := fmt.Sprint(len(found), err), "2 <nil>"; got != want || found[0].Name != "drpc" || found[1].Name != "r1" {
		t.Errorf("Find: got %v %v", found, err)
	}
	_, err = Find("rollcall", "cobra")
	if err == nil || !strings.Contains(err.Error(), `"cobra"`) || !strings.Contains(err.Error(), "r1,r2y,rollcall") {
		t.Errorf("an unknown name: got %v, want one that names it and what there is", err)
	}
}
