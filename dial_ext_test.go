// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/internal/dialer"
	"github.com/rollcall-rpc/rollcall/internal/memnet"
)

// Of an instance whose name has two dead addresses in front every call failed, for
// ever: the first address had the whole second of a connect. With TLS the name counts,
// and not the address that answers.
func TestNameWithDeadAddresses(t *testing.T) {
	only(t, "it has a network of its own", "tcp")
	ours := newTrust("ours")
	synctest.Test(t, func(t *testing.T) {
		l := memnet.Listen("10.0.0.3:80")
		s := rollcall.NewServer(rollcall.ServerOptions{TLS: ours.server})
		rollcall.Handle(s, divide, divideOn("a"))
		served := make(chan error, 1)
		go func() { served <- s.Serve(context.Background(), l) }()
		d := dialer.Dialer{
			Resolve: func(context.Context, string, string) ([]netip.Addr, error) {
				return []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("10.0.0.3")}, nil
			},
			Connect: func(ctx context.Context, _, address string) (net.Conn, error) {
				if address != l.Addr().String() {
					<-ctx.Done()
					return nil, ctx.Err()
				}
				return l.Dial(ctx)
			},
		}
		c, err := rollcall.NewClient("static://rollcall.test:80", rollcall.ClientOptions{TLS: ours.client, Dial: d.DialContext})
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		if _, err := divide.Call(t.Context(), c, &fraction{Num2: 1}); err != nil || time.Since(begun) != 500*time.Millisecond {
			t.Errorf("got %v after %v, want an answer after 500ms", err, time.Since(begun))
		}
		c.Close()
		s.Close()
		<-served //nolint:errcheck // what comes of it is looked at elsewhere
	})
}
