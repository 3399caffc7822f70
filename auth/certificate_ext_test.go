// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package auth_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"testing"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/auth"
	"github.com/rollcall-rpc/rollcall/internal/testca"
	"github.com/rollcall-rpc/rollcall/tlsfiles"
)

// A fleet is an authority, what it has issued, and a server's configs.
type fleet struct {
	ca     *testca.CA
	server tls.Certificate
	dir    string
}

func newFleet(t *testing.T) *fleet {
	t.Helper()
	ca := testca.New("fleet")
	f := &fleet{ca: ca, dir: t.TempDir()}
	pair := ca.Issue(testca.Leaf{Names: []string{"server.test", "127.0.0.1"}})
	pair.Write(f.dir, "server")
	ca.Write(f.dir, "ca")
	f.server = pair.TLS()
	return f
}

// config returns a server's, with the fleet's authority.
func (f *fleet) config(clientAuth tls.ClientAuthType) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{f.server}, ClientAuth: clientAuth, ClientCAs: f.ca.Pool()}
}

func (f *fleet) fromFiles(t *testing.T) *tls.Config {
	t.Helper()
	config, err := tlsfiles.Files{Cert: f.dir + "/server.crt", Key: f.dir + "/server.key", CA: f.dir + "/ca.crt"}.Server()
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// connect returns what a server knows of a connection from a client with the
// certificate, if one is given, and the error of its handshake.
func (f *fleet) connect(server *tls.Config, client ...tls.Certificate) (*tls.ConnectionState, error) {
	a, b := net.Pipe()
	defer a.Close()
	go func() {
		defer b.Close()
		conn := tls.Client(b, &tls.Config{RootCAs: f.ca.Pool(), ServerName: "server.test", Certificates: client})
		if conn.HandshakeContext(context.Background()) == nil {
			conn.Read(make([]byte, 1)) //nolint:errcheck // an alert, or the end
		}
	}()
	conn := tls.Server(a, server)
	if err := conn.HandshakeContext(context.Background()); err != nil {
		return nil, err
	}
	state := conn.ConnectionState()
	return &state, nil
}

func over(state *tls.ConnectionState) *rollcall.CallInfo {
	return &rollcall.CallInfo{Method: "Divide/Divide", Peer: rollcall.Peer{TLS: state}}
}

func TestCertificate(t *testing.T) {
	f := newFleet(t)
	billing := f.ca.Issue(testca.Leaf{URIs: []string{"spiffe://test/billing"}}).TLS()
	forged := testca.New("fleet").Issue(testca.Leaf{URIs: []string{"spiffe://test/billing"}}).TLS()
	replaced := f.config(tls.RequireAndVerifyClientCert)
	replaced.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		return f.config(tls.RequireAndVerifyClientCert), nil
	}
	for name, config := range map[string]*tls.Config{
		"required": f.config(tls.RequireAndVerifyClientCert), "if given": f.config(tls.VerifyClientCertIfGiven),
		"tlsfiles": f.fromFiles(t), "replaced": replaced,
	} {
		t.Run(name, func(t *testing.T) {
			admit, err := auth.Certificate(config)
			if err != nil {
				t.Fatal(err)
			}
			state, err := f.connect(config, billing)
			if err != nil {
				t.Fatal(err)
			}
			wantIn(t, admit, over(state), "spiffe://test/billing")
			wantOut(t, admit, over(nil), rollcall.CodeUnauthenticated, auth.ReasonClearText, "TLS")
			wantOut(t, admit, over(overTLS()), rollcall.CodeUnauthenticated, auth.ReasonNoCertificate, "ClientOptions.TLS")
			if _, err := f.connect(config, forged); err == nil {
				t.Error("a certificate of another authority is let in")
			}
			if state, err := f.connect(config); (err == nil) != (name == "if given") {
				t.Errorf("without a certificate: %v", err)
			} else if err == nil {
				wantOut(t, admit, over(state), rollcall.CodeUnauthenticated, auth.ReasonNoCertificate)
			}
		})
	}
}

// Where the connection is not of the config that verifies, anybody could have shown
// any certificate.
func TestCertificateUnverified(t *testing.T) {
	f := newFleet(t)
	forged := testca.New("stranger").Issue(testca.Leaf{URIs: []string{"spiffe://test/billing"}}).TLS()
	asking := f.config(tls.RequestClientCert)
	asking.ClientCAs = nil // a client shows nothing to those who name other authorities
	state, err := f.connect(asking, forged)
	if err != nil {
		t.Fatal(err)
	}
	replaced := f.config(tls.RequireAndVerifyClientCert)
	replaced.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return f.config(tls.RequestClientCert), nil }
	for _, config := range []*tls.Config{f.config(tls.RequireAndVerifyClientCert), f.config(tls.VerifyClientCertIfGiven), replaced} {
		admit, err := auth.Certificate(config)
		if err != nil {
			t.Fatal(err)
		}
		wantOut(t, admit, over(state), rollcall.CodeUnauthenticated, auth.ReasonUnverified, "auth.Certificate")
	}
}

func TestCertificateConfigs(t *testing.T) {
	verify := func(tls.ConnectionState) error { return nil }
	chains := func([][]byte, [][]*x509.Certificate) error { return nil }
	f := newFleet(t)
	for name, tt := range map[string]struct {
		config *tls.Config
		says   string // empty: it is fine
	}{
		"nil":                           {nil, "config is nil"},
		"none asked":                    {f.config(tls.NoClientCert), "ClientAuth NoClientCert"},
		"none asked, by files":          {&tls.Config{VerifyConnection: verify}, "tlsfiles.Files"},
		"requested":                     {f.config(tls.RequestClientCert), "RequestClientCert without VerifyConnection"},
		"any":                           {f.config(tls.RequireAnyClientCert), "RequireAnyClientCert without VerifyConnection"},
		"any, verified":                 {&tls.Config{ClientAuth: tls.RequireAnyClientCert, VerifyConnection: verify}, ""},
		"requested, verified":           {&tls.Config{ClientAuth: tls.RequestClientCert, VerifyConnection: verify}, ""},
		"another in its place":          {&tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return nil, nil }}, ""},
		"by the system":                 {&tls.Config{ClientAuth: tls.RequireAndVerifyClientCert}, "without ClientCAs"},
		"by the system, if given":       {&tls.Config{ClientAuth: tls.VerifyClientCertIfGiven}, "without ClientCAs"},
		"by the system, and more":       {&tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, VerifyConnection: verify}, ""},
		"verified but for resumed ones": {&tls.Config{ClientAuth: tls.RequireAnyClientCert, VerifyPeerCertificate: chains}, "without VerifyConnection"},
	} {
		admit, err := auth.Certificate(tt.config)
		switch {
		case tt.says != "":
			wantText(t, err, "auth: Certificate: config", tt.says)
		case err != nil || admit == nil:
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCertificateIdentity(t *testing.T) {
	ca := testca.New("fleet")
	for want, leaf := range map[string]testca.Leaf{
		"spiffe://test/a%20b": {URIs: []string{"spiffe://test/a%20b", "spiffe://test/c"}, Names: []string{"billing.test"}, CommonName: "billing"},
		"billing.test":        {Names: []string{"192.0.2.1", "billing.test", "b.test"}, CommonName: "billing"},
		"billing":             {Names: []string{"192.0.2.1"}, CommonName: "billing"},
		"":                    {Names: []string{"192.0.2.1"}},
	} {
		pair := ca.Issue(leaf)
		if got := auth.CertificateIdentity(pair.Cert); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f := newFleet(t)
	config := f.config(tls.RequireAndVerifyClientCert)
	state, err := f.connect(config, f.ca.Issue(testca.Leaf{}).TLS())
	if err != nil {
		t.Fatal(err)
	}
	admit, err := auth.Certificate(config)
	if err != nil {
		t.Fatal(err)
	}
	wantOut(t, admit, over(state), rollcall.CodeUnauthenticated, auth.ReasonUnidentified, "names nobody")
}
