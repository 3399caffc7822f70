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
	"time"

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
		says     string // where it does not panic
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
		"ClientOptions.Dial, of nothing": {
			opts: rollcall.ClientOptions{
				Dialects: dialect(nil),
				Dial:     func(context.Context, string, string) (net.Conn, error) { return nil, nil },
			},
			executed: rollcall.ExecutedNo,
			says:     "ClientOptions.Dial returned neither a connection nor an error",
		},
		"Dialect.Dial, of nothing": {
			opts:     rollcall.ClientOptions{Dial: pipe, Dialects: dialect(func() (rollcall.Caller, error) { return nil, nil })},
			executed: rollcall.ExecutedNo,
			says:     `the dialect "slow" returned neither a Caller nor an error`,
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
				says := function + " panicked"
				if tt.says != "" {
					says = tt.says
				}
				wantError(t, err, rollcall.CodeUnavailable, rollcall.ReasonConnection, tt.executed, says)
				if lines, _ := log.with("level=ERROR"); tt.says == "" && (len(lines) != 1 || !strings.Contains(lines[0], "contain_ext_test.go")) {
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

// An answering caller answers every call.
type answering struct{ net.Conn }

func (answering) Call(context.Context, rollcall.Request) (rollcall.Reply, error) {
	return rollcall.Reply{Body: []byte("yes")}, nil
}

// Close panics, whoever calls it.
func (answering) Close() error { panic("close") }

// Events that panic, on whatever goroutine, and a Caller that does so when it is
// closed, fail no call and end no process; the log has the name of each.
func TestClientEventsThatPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logLines
		list := listOf(slowInstance)
		c, err := rollcall.NewClient("memory", rollcall.ClientOptions{
			Resolver: list, Logger: log.logger(), Dial: pipe,
			Dialects: []rollcall.Dialect{{Protocol: "slow", Dial: func(context.Context, discovery.Instance, net.Conn) (rollcall.Caller, error) {
				return answering{}, nil
			}}},
			Events: rollcall.ClientEvents{
				CallBegin:       func(context.Context, *rollcall.CallInfo) context.Context { panic("begin") },
				CallEnd:         func(context.Context, rollcall.ClientCallEnd) { panic("end") },
				AttemptBegin:    func(context.Context, rollcall.AttemptInfo) context.Context { panic("attempt") },
				AttemptEnd:      func(context.Context, rollcall.AttemptInfo) { panic("attempted") },
				ListChanged:     func(discovery.Update) { panic("list") },
				InstanceChanged: func(rollcall.InstanceChange) { panic("instance") },
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, hedge := range []bool{false, true} {
			time.Sleep(time.Second) // the log tells of each once in a second
			reply, err := c.Invoke(t.Context(), "M", nil, rollcall.CallOptions{Idempotent: true, Hedge: hedge})
			if string(reply) != "yes" || err != nil {
				t.Errorf("got %q, %v", reply, err)
			}
		}
		if in := c.State().Instances[0]; in.InFlight != 0 {
			t.Errorf("%d calls are in flight, want none", in.InFlight)
		}
		c.Close()
		for _, name := range []string{
			"ClientEvents.CallBegin", "ClientEvents.CallEnd", "ClientEvents.AttemptBegin", "ClientEvents.AttemptEnd",
			"ClientEvents.ListChanged", "ClientEvents.InstanceChanged", "Caller.Close",
		} {
			if lines, _ := log.with("level=ERROR", name+" panicked", "contain_ext_test.go"); len(lines) == 0 {
				t.Errorf("nothing is logged of %s", name)
			}
		}
	})
}

// A token function that panics fails its calls as one that returns an error.
func TestTokenThatPanics(t *testing.T) {
	var log logLines
	c := newClient(t, listOf(slowInstance), rollcall.ClientOptions{
		Logger: log.logger(), AllowTokenInClearText: true, Token: func(context.Context) (string, error) { panic("vault") },
	})
	_, err := c.Invoke(within(t), "M", nil, rollcall.CallOptions{})
	wantError(t, err, rollcall.CodeUnauthenticated, rollcall.ReasonNoToken, rollcall.ExecutedNo, "ClientOptions.Token panicked: vault")
	log.once(t, "level=ERROR", "ClientOptions.Token panicked", "contain_ext_test.go")
}
