// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/internal/testca"
)

// A trust is an authority with what servers and clients of it need.
type trust struct {
	server, client *tls.Config // mutual
}

func newTrust(name string) trust {
	ca := testca.New(name)
	return trust{
		server: &tls.Config{
			Certificates: []tls.Certificate{ca.Issue(testca.Leaf{Names: []string{"127.0.0.1", "rollcall.test"}}).TLS()},
			ClientAuth:   tls.RequireAndVerifyClientCert, ClientCAs: ca.Pool(),
		},
		client: &tls.Config{
			Certificates: []tls.Certificate{ca.Issue(testca.Leaf{CommonName: "ann"}).TLS()},
			RootCAs:      ca.Pool(),
		},
	}
}

func TestMutualTLS(t *testing.T) {
	only(t, "it has TLS of its own", "tcp", "memory")
	ours, theirs := newTrust("ours"), newTrust("theirs")
	registry := new(discovery.Memory)
	peers := make(chan rollcall.Peer, 1)
	start(t, "", rollcall.ServerOptions{
		Registrar: registry, TLS: ours.server,
		Admissions: []rollcall.Admission{func(ctx context.Context, call *rollcall.CallInfo) (context.Context, error) {
			peers <- call.Peer
			return ctx, nil
		}},
	}, func(s *rollcall.Server) { rollcall.Handle(s, divide, divideOn("a")) })

	c := newClient(t, registry, rollcall.ClientOptions{TLS: ours.client})
	if _, err := divide.Call(within(t), c, &fraction{Num2: 1}); err != nil {
		t.Fatal(err)
	}
	if p := <-peers; p.TLS == nil || p.TLS.PeerCertificates[0].Subject.CommonName != "ann" || p.TLS.NegotiatedProtocol != rollcall.ProtocolName || p.Addr == nil {
		t.Errorf("the server sees %+v", p)
	}
	if in := c.Snapshot().Endpoints[0].Endpoint.Instance; !in.TLS {
		t.Errorf("the entry does not say TLS: %+v", in)
	}
	named := ours.client.Clone()
	named.ServerName = "elsewhere.test"
	noCert := ours.client.Clone()
	noCert.Certificates = nil
	for what, opts := range map[string]struct {
		opts rollcall.ClientOptions
		says string
	}{
		"clear text":     {rollcall.ClientOptions{}, "ClientOptions.TLS is not set"},
		"another CA":     {rollcall.ClientOptions{TLS: theirs.client}, "certificate"},
		"another name":   {rollcall.ClientOptions{TLS: named}, "elsewhere.test"},
		"no certificate": {rollcall.ClientOptions{TLS: noCert}, "certificate"},
	} {
		c := newClient(t, registry, opts.opts)
		_, err := divide.Call(within(t), c, &fraction{Num2: 1})
		wantError(t, err, rollcall.CodeUnavailable, rollcall.ReasonConnection, rollcall.ExecutedNo, opts.says)
		if t.Failed() {
			t.Fatal(what)
		}
	}
}

// Who speaks the wrong one of TLS and clear text is told what is wrong, and so is
// whoever reads the server's log.
func TestClearTextAndTLSMeet(t *testing.T) {
	only(t, "it has TLS of its own", "tcp", "memory")
	ours := newTrust("ours")
	for _, tt := range []struct {
		what           string
		server, client *tls.Config
		error, log     string
	}{
		{"a client with TLS", nil, ours.client, "TLS", "ServerOptions.TLS is not set"},
		{"a client in clear text", ours.server, nil, "closed by the peer", "ServerOptions.AllowPlaintext"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			log := new(logLines)
			s := start(t, "", rollcall.ServerOptions{TLS: tt.server, Logger: log.logger()}, func(s *rollcall.Server) {
				rollcall.Handle(s, divide, divideOn("a"))
			})
			c := clientAt(t, s.addr, rollcall.ClientOptions{TLS: tt.client})
			_, err := divide.Call(within(t), c, &fraction{Num2: 1})
			wantError(t, err, rollcall.CodeUnavailable, rollcall.ReasonConnection, rollcall.ExecutedNo, tt.error)
			log.await(t, 1, tt.log)
		})
	}
}

// A fleet moves from clear text to mutual TLS in four steps, under load, without a
// failed call. The methods are not idempotent: nothing may be executed and lost.
func TestMoveToTLS(t *testing.T) {
	only(t, "it has TLS of its own", "tcp", "memory")
	ours := newTrust("ours")
	registry := new(discovery.Memory)
	method := divide
	method.Idempotent = false
	servers := make(map[string]*running)
	var client *rollcall.Client
	stop := func() (int, []error) { return 0, nil }
	calls := 0
	stopLoad := func(step string) {
		n, errs := stop()
		calls += n
		for _, err := range errs {
			t.Errorf("%s: %v", step, err)
		}
	}
	// roll replaces the servers one after the other.
	roll := func(step string, opts rollcall.ServerOptions) {
		for _, name := range []string{"a", "b", "c"} {
			if old := servers[name]; old != nil {
				old.drain()
				<-old.ended
			}
			opts.Registrar, opts.ID, opts.DrainDelay = registry, name, 50*time.Millisecond
			servers[name] = start(t, "", opts, func(s *rollcall.Server) { rollcall.Handle(s, method, divideOn(name)) })
		}
		t.Logf("%s: servers rolled", step)
	}
	// replace begins to call with another client before it stops the last one.
	replace := func(step string, opts rollcall.ClientOptions) {
		next := newClient(t, registry, opts)
		if err := next.Ready(within(t)); err != nil {
			t.Fatalf("%s: %v", step, err)
		}
		stopLoad(step)
		if client != nil {
			client.Close()
		}
		client, stop = next, load(next, method, 4)
	}
	roll("0. clear text", rollcall.ServerOptions{})
	replace("0. clear text", rollcall.ClientOptions{})
	roll("1. servers with both", rollcall.ServerOptions{TLS: ours.server, AllowPlaintext: true})
	replace("2. clients where the entry says TLS", rollcall.ClientOptions{TLS: ours.client, AllowPlaintext: true})
	roll("3. servers with TLS alone", rollcall.ServerOptions{TLS: ours.server})
	replace("4. clients with TLS alone", rollcall.ClientOptions{TLS: ours.client})
	stopLoad("the end")
	if calls < 100 {
		t.Errorf("%d calls were made, too few to tell", calls)
	}
}

func TestTLSOptions(t *testing.T) {
	only(t, "it has TLS of its own", "tcp")
	none := func(context.Context) (string, error) { return "", nil }
	for says, opts := range map[string]rollcall.ClientOptions{
		"ClientOptions.AllowPlaintext without TLS":           {AllowPlaintext: true},
		"ClientOptions.Token would go over clear text: set":  {Token: none},
		"ClientOptions.Token would go over clear text: set ": {Token: none, TLS: new(tls.Config), AllowPlaintext: true},
	} {
		if _, err := rollcall.NewClient("static://127.0.0.1:1", opts); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want %q", err, says)
		}
	}
	for says, opts := range map[string]rollcall.ServerOptions{
		"ServerOptions.AllowPlaintext without TLS": {AllowPlaintext: true},
		"ServerOptions.TLS has no certificate":     {TLS: new(tls.Config)},
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if err := rollcall.NewServer(opts).Serve(within(t), l); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want %q", err, says)
		}
	}
}

// A token goes with every call, and a call without one fails before anything is
// sent.
func TestToken(t *testing.T) {
	s := start(t, "", rollcall.ServerOptions{Admissions: []rollcall.Admission{func(_ context.Context, call *rollcall.CallInfo) (context.Context, error) {
		if got := call.Metadata[rollcall.MetadataAuthorization]; got != "Bearer t1" {
			return nil, rollcall.Errorf(rollcall.CodeUnauthenticated, "", "got %q", got)
		}
		return nil, nil
	}}}, func(s *rollcall.Server) { rollcall.Handle(s, divide, divideOn("a")) })
	var fails error
	c := clientAt(t, s.addr, rollcall.ClientOptions{AllowTokenInClearText: true, Token: func(context.Context) (string, error) { return "t1", fails }})
	own := rollcall.Metadata{"k": "v"}
	if _, err := divide.CallWith(within(t), c, &fraction{Num2: 1}, rollcall.CallOptions{Metadata: own}); err != nil || len(own) != 1 {
		t.Errorf("%v; the caller's metadata is %v", err, own)
	}
	fails = errors.New("the vault is closed")
	_, err := divide.Call(within(t), c, &fraction{Num2: 1})
	wantError(t, err, rollcall.CodeUnauthenticated, rollcall.ReasonNoToken, rollcall.ExecutedNo, "ClientOptions.Token: the vault is closed")
	if !errors.Is(err, fails) {
		t.Error("the cause is lost")
	}
}
