// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"context"
	"crypto/tls"
	"net"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/discovery"
)

// A panickyCaller panics on every call.
type panickyCaller struct{ net.Conn }

func (panickyCaller) Call(context.Context, rollcall.Request) (rollcall.Reply, error) {
	panic("call")
}

// What a user's function panics with on the way of a call is the call's error, and
// told with its stack; nothing is in flight afterwards, and the client goes on.
func TestUserFunctionsThatPanic(t *testing.T) {
	dialect := func(dial func() (rollcall.Caller, error)) []rollcall.Dialect {
		return []rollcall.Dialect{{Protocol: "slow", Dial: func(context.Context, discovery.Instance, net.Conn) (rollcall.Caller, error) {
			return dial()
		}}}
	}
	for name, tt := range map[string]struct {
		opts     rollcall.ClientOptions
		call     rollcall.CallOptions
		executed rollcall.Executed
	}{
		"ClientOptions.Dial": {
			opts: rollcall.ClientOptions{
				Dialects: dialect(nil),
				Dial:     func(context.Context, string, string) (net.Conn, error) { panic("dial") },
			},
			executed: rollcall.ExecutedNo,
		},
		"Dialect.Dial": {
			opts:     rollcall.ClientOptions{Dial: pipe, Dialects: dialect(func() (rollcall.Caller, error) { panic("dialect") })},
			executed: rollcall.ExecutedNo,
		},
		"Caller.Call": {
			opts:     rollcall.ClientOptions{Dial: pipe, Dialects: dialect(func() (rollcall.Caller, error) { return panickyCaller{new(net.TCPConn)}, nil })},
			executed: rollcall.ExecutedMaybe,
		},
		"Caller.Call, hedged": {
			opts:     rollcall.ClientOptions{Dial: pipe, Dialects: dialect(func() (rollcall.Caller, error) { return panickyCaller{new(net.TCPConn)}, nil })},
			call:     rollcall.CallOptions{Idempotent: true, Hedge: true},
			executed: rollcall.ExecutedMaybe,
		},
		"ClientOptions.TLS": {
			opts: rollcall.ClientOptions{Dial: pipeToServer, Dialects: dialect(nil), TLS: &tls.Config{
				InsecureSkipVerify: true, VerifyConnection: func(tls.ConnectionState) error { panic("tls") },
			}},
			executed: rollcall.ExecutedNo,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log logLines
				tt.opts.Resolver, tt.opts.Logger = listOf(slowInstance), log.logger()
				c, err := rollcall.NewClient("memory", tt.opts)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				_, err = c.Invoke(t.Context(), "M", nil, tt.call)
				function, _, _ := strings.Cut(name, ",")
				wantError(t, err, rollcall.CodeUnavailable, rollcall.ReasonConnection, tt.executed, function+" panicked")
				if lines, _ := log.with("level=ERROR"); len(lines) != 1 || !strings.Contains(lines[0], "contain_ext_test.go") {
					t.Errorf("got lines %q, want one with the stack", lines)
				}
				if in := c.State().Instances[0]; in.InFlight != 0 {
					t.Errorf("%d calls are in flight, want none", in.InFlight)
				}
			})
		})
	}
}

// pipeToServer returns a connection to a server of TLS.
func pipeToServer(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	go tls.Server(theirs, newTrust("theirs").server).Handshake() //nolint:errcheck // it ends with the client
	return ours, nil
}
