// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"context"
	"errors"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall/frame"
	"github.com/rollcall-rpc/rollcall/internal/memnet"
)

// TestMain fails if goroutines of this package outlive the tests.
func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 {
		if left := leaked(); left != "" {
			os.Stderr.WriteString("goroutines left behind:\n" + left + "\n")
			code = 1
		}
	}
	os.Exit(code)
}

// leaked returns the stacks of goroutines that run this package's code, once
// those that are just ending have had ample time.
func leaked() string {
	var found string
	for range 100 {
		buf := make([]byte, 1<<20)
		found = ""
		var foundSb39 strings.Builder
		for _, g := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n")[1:] {
			if strings.Contains(g, "internal/transport.") {
				foundSb39.WriteString(g + "\n\n")
			}
		}
		found += foundSb39.String()
		if found == "" {
			return ""
		}
		<-time.After(20 * time.Millisecond)
	}
	return found
}

// A rig is a connected client and server.
type rig struct {
	client    *ClientConn
	server    *ServerConn
	clientEnd net.Conn
	serverEnd net.Conn
	served    chan struct{} // closed when Serve has returned serveErr
	serveErr  error
}

// memRig connects over memnet; it works in a bubble.
func memRig(t testing.TB, co ClientOptions, so ServerOptions) *rig {
	t.Helper()
	a, b := memnet.Pipe()
	return newRig(t, a, b, co, so)
}

// tcpRig connects over loopback.
func tcpRig(t testing.TB, co ClientOptions, so ServerOptions) *rig {
	t.Helper()
	a, b := tcpPair(t)
	return newRig(t, a, b, co, so)
}

func tcpPair(t testing.TB) (client, server net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err = net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err = l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return client, server
}

func newRig(t testing.TB, a, b net.Conn, co ClientOptions, so ServerOptions) *rig {
	t.Helper()
	if so.Handler == nil {
		so.Handler = echo
	}
	r := &rig{clientEnd: a, serverEnd: b, served: make(chan struct{})}
	r.server = NewServerConn(b, so)
	go func() {
		defer close(r.served)
		r.serveErr = r.server.Serve(context.Background())
	}()
	r.client = NewClientConn(a, co)
	t.Cleanup(r.close)
	return r
}

func (r *rig) close() {
	r.client.Close()
	r.server.Close()
	<-r.served
}

// echo answers with the request's body and metadata.
func echo(_ context.Context, req *ServerRequest) (Reply, error) {
	return Reply{Codec: req.Codec, Metadata: req.Metadata, Body: req.Body}, nil
}

// modes runs a test over memory and over TCP.
func modes(t *testing.T, test func(t *testing.T, connect func(testing.TB, ClientOptions, ServerOptions) *rig)) {
	t.Run("memnet", func(t *testing.T) { test(t, memRig) })
	t.Run("tcp", func(t *testing.T) { test(t, tcpRig) })
}

// wantCallError checks an error of Call in all its parts; phase 0: any.
func wantCallError(t testing.TB, err error, executed frame.Executed, phase Phase, cause error) {
	t.Helper()
	var e *CallError
	if !errors.As(err, &e) {
		t.Errorf("got %v (%T), want a CallError", err, err)
		return
	}
	if e.Executed != executed || (phase != 0 && e.Phase != phase) || !errors.Is(err, cause) {
		t.Errorf("got %v; want executed %v, phase %v, cause %v", e, executed, phase, cause)
	}
}

// wantRemote checks an error that the server sent.
func wantRemote(t testing.TB, err error, code frame.Code, reason string, executed frame.Executed) {
	t.Helper()
	var e *RemoteError
	if !errors.As(err, &e) {
		t.Errorf("got %v (%T), want a RemoteError", err, err)
		return
	}
	if e.Code != code || e.Reason != reason || e.Executed != executed {
		t.Errorf("got %v, executed %v; want %v (%s), executed %v", e, e.Executed, code, reason, executed)
	}
}

// goexit ends the goroutine like a failed assertion in a handler would.
func goexit() { runtime.Goexit() }
