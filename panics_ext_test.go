// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/internal/memnet"
)

// What a client or a stranger sends makes every function of the user's panic that it
// can reach, again and again: the server serves on, and tells of each kind once in a
// second, with the stack.
func TestPeersThatCausePanics(t *testing.T) {
	only(t, "its network is one of its own", "tcp")
	certificate := newTrust("ours").server.Certificates
	synctest.Test(t, func(t *testing.T) {
		var network memnet.Network
		l, err := network.Listen("server:1")
		if err != nil {
			t.Fatal(err)
		}
		var log logLines
		mad := rollcall.Protocol{
			Name: "mad",
			Match: func(first []byte) rollcall.Verdict {
				switch first[0] {
				case '?':
					panic("match")
				case '!':
					return rollcall.MatchYes
				}
				return rollcall.MatchNo
			},
			Serve: func(_ context.Context, conn net.Conn, s *rollcall.Server) error {
				if _, err := conn.Read(make([]byte, 1)); err != nil {
					return err
				}
				s.Invoke(context.Background(), invoked(`{}`), rollcall.PeerOf(conn)) //nolint:errcheck // its handler panics
				panic("serve")
			},
		}
		s := rollcall.NewServer(rollcall.ServerOptions{
			Logger: log.logger(), Protocols: []rollcall.Protocol{mad}, AllowPlaintext: true,
			TLS:    &tls.Config{Certificates: certificate, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { panic("tls") }},
			Events: rollcall.ServerEvents{ConnOpen: func(rollcall.ConnInfo) { panic("event") }},
		})
		rollcall.Handle(s, divide, func(context.Context, *fraction) (*quotient, error) { panic("handler") })
		s.HandleHTTP("/", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("http") }))
		served := make(chan error, 1)
		go func() { served <- s.Serve(context.Background(), l) }()
		var hello strings.Builder
		tls.Client(helloKeeper{to: &hello}, &tls.Config{ServerName: "a"}).Handshake() //nolint:errcheck // it records the hello alone
		for range 20 {
			for _, says := range []string{"?", "!", hello.String(), whole["HTTP"], whole["rollcall"]} {
				conn, err := network.Dial(t.Context(), "tcp", "server:1")
				if err != nil {
					t.Fatal(err)
				}
				if _, err := io.WriteString(conn, says); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				conn.Close()
			}
		}
		s.Close()
		<-served //nolint:errcheck // it ends with the test
		for _, message := range []string{
			"Match of a protocol, or a TLS callback, panicked", "protocol panicked", "HTTP handler panicked", "handler panicked", "an event's function panicked",
		} {
			log.once(t, "level=ERROR", `msg="`+message+`"`, "panics_ext_test.go")
		}
		if lines, _ := log.with("level=ERROR"); len(lines) != 5 {
			t.Errorf("%d lines, want 5: %.2000q", len(lines), lines)
		}
	})
}

// A helloKeeper is a connection that keeps what is written, and has nothing to read.
type helloKeeper struct {
	net.Conn
	to io.Writer
}

func (r helloKeeper) Write(b []byte) (int, error) { return r.to.Write(b) }
func (helloKeeper) Read([]byte) (int, error)      { return 0, io.EOF }
func (helloKeeper) Close() error                  { return nil }
