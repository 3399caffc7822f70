// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/internal/memnet"
)

// The time of a dial was the server's latency: one that joined behind a handshake of
// 40 ms got none of the calls that followed.
func TestADialIsNoLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var network memnet.Network
		registry := new(discovery.Memory)
		ctx, stop := context.WithCancel(context.Background())
		var served []chan error
		for _, addr := range []string{"10.0.0.1:1", "10.0.0.2:1"} {
			l, err := network.Listen(addr)
			if err != nil {
				t.Fatal(err)
			}
			s := rollcall.NewServer(rollcall.ServerOptions{Registrar: registry, ID: addr, Advertise: addr, DrainDelay: -1})
			rollcall.Handle(s, divide, func(_ context.Context, f *fraction) (*quotient, error) {
				time.Sleep(time.Millisecond)
				return &quotient{Value: float64(f.Num1)}, nil
			})
			end := make(chan error, 1)
			served = append(served, end)
			go func() { end <- s.Serve(ctx, l) }()
		}
		synctest.Wait()
		dials := 0
		c, err := rollcall.NewClient("memory", rollcall.ClientOptions{
			Resolver: registry,
			Dial: func(ctx context.Context, _, addr string) (net.Conn, error) {
				if dials++; addr == "10.0.0.2:1" {
					time.Sleep(40 * time.Millisecond)
				}
				return network.Dial(ctx, "tcp", addr)
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		for range 100 {
			if _, err := divide.Call(context.Background(), c, &fraction{1, 1}); err != nil {
				t.Fatal(err)
			}
		}
		for _, in := range c.State().Instances {
			if in.LatencyUS == 0 || in.LatencyUS > 2000 || in.WaitUS > 4000 {
				t.Errorf("%s, which answers in 1 ms: got a latency of %d µs and a wait of %d, want no dial in it", in.Address, in.LatencyUS, in.WaitUS)
			}
		}
		if dials != 2 {
			t.Errorf("got %d dials, want one to each: the test is none", dials)
		}
		c.Close()
		stop()
		for _, end := range served {
			<-end //nolint:errcheck // it ends with the test
		}
	})
}
