// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/frame"
	"github.com/rollcall-rpc/rollcall/internal/memnet"
)

// A connection that does not say who it is within 10 seconds is closed, however
// it dawdles; one that said so when it has been idle for long.
func TestClientsThatDawdle(t *testing.T) {
	hello := string(frame.AppendPreface(nil, frame.Preface{}))
	for _, tt := range []struct {
		name  string
		sends []string // one every 4 seconds
		want  time.Duration
		lines int // in the log
	}{
		{"says nothing", nil, 10 * time.Second, 1},
		{"a byte that decides nothing", []string{"!"}, 10 * time.Second, 1},
		{"half a preface", []string{hello[:1], hello[1:2], hello[2:3], hello[3:4], hello[4:5]}, 10 * time.Second, 0},
		{"a whole preface in time, and no call", []string{hello[:4], hello[4:]}, rollcall.DefaultIdleTimeout, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var network memnet.Network
				l, err := network.Listen("10.0.0.1:1")
				if err != nil {
					t.Fatal(err)
				}
				var log logLines
				s := rollcall.NewServer(rollcall.ServerOptions{Logger: log.logger(), Protocols: []rollcall.Protocol{shout}})
				served := make(chan error, 1)
				go func() { served <- s.Serve(context.Background(), l) }()
				conn, err := network.Dial(t.Context(), "tcp", "10.0.0.1:1")
				if err != nil {
					t.Fatal(err)
				}
				begun := time.Now()
				go func() {
					for _, text := range tt.sends {
						if _, err := conn.Write([]byte(text)); err != nil {
							return
						}
						time.Sleep(4 * time.Second)
					}
				}()
				ended := make(chan time.Duration, 1)
				go func() {
					buf := make([]byte, 1000)
					for {
						if _, err := conn.Read(buf); err != nil {
							ended <- time.Since(begun)
							return
						}
					}
				}()
				time.Sleep(time.Hour)
				synctest.Wait()
				select {
				case got := <-ended:
					if got != tt.want {
						t.Errorf("closed after %v, want %v", got, tt.want)
					}
				default:
					t.Errorf("open after an hour, want closed after %v", tt.want)
				}
				if lines, _ := log.with("level=WARN"); len(lines) != tt.lines {
					t.Errorf("%d lines, want %d: %q", len(lines), tt.lines, lines)
				}
				conn.Close()
				s.Close()
				if err := <-served; !errors.Is(err, rollcall.ErrServerClosed) {
					t.Errorf("Serve returned %v", err)
				}
			})
		})
	}
}
