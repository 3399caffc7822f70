// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package tlsfiles_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall/internal/testca"
	"github.com/rollcall-rpc/rollcall/tlsfiles"
)

// TestMutual connects both configs, below an intermediate authority too.
func TestMutual(t *testing.T) {
	root := testca.New("root")
	for name, issuer := range map[string]*testca.CA{
		"root": root, "intermediate": root.Intermediate("a"), "two intermediates": root.Intermediate("a").Intermediate("b"),
	} {
		t.Run(name, func(t *testing.T) {
			f, log := files(t, issuer, testca.Leaf{CommonName: "me", Names: []string{host}})
			testca.WriteFile(f.CA, root.PEM())
			f.ServerName = host
			l := mustConnect(t, serverOf(t, f), clientOf(t, f))
			if v := l.client.ConnectionState().Version; v != tls.VersionTLS13 {
				t.Errorf("version %x, want TLS 1.3", v)
			}
			if got := l.server.ConnectionState().PeerCertificates[0].Subject.CommonName; got != "me" {
				t.Errorf("the server sees %q, want me", got)
			}
			log.want(t)
		})
	}
}

// A strangeCase is a certificate that the other side must refuse.
type strangeCase struct {
	issuer *testca.CA
	leaf   testca.Leaf
	reason string
}

// strange returns certificates that must be refused by who trusts ca.
func strange(ca *testca.CA, wrongUsage x509.ExtKeyUsage) map[string]strangeCase {
	return map[string]strangeCase{
		"other authority":           {testca.New("other"), named(host), "unknown authority"},
		"other of that name":        {testca.New(ca.Cert.Subject.CommonName), named(host), "unknown authority"},
		"expired":                   {ca, testca.Leaf{Names: []string{host}, NotAfter: time.Now().Add(-time.Minute)}, "expired"},
		"not valid yet":             {ca, testca.Leaf{Names: []string{host}, NotBefore: time.Now().Add(time.Hour)}, "not yet valid"},
		"for the other side's role": {ca, testca.Leaf{Names: []string{host}, Usages: []x509.ExtKeyUsage{wrongUsage}}, "incompatible key usage"},
	}
}

// TestClientRefuses has servers that our client must not talk to. The same servers
// are refused by crypto/tls alone, so the test would notice a bad case.
func TestClientRefuses(t *testing.T) {
	ca := testca.New("root")
	f, _ := files(t, ca, named("me.test"))
	f.ServerName = host
	client := clientOf(t, f)
	cases := strange(ca, x509.ExtKeyUsageClientAuth)
	cases["other name"] = strangeCase{ca, named("other.test"), "valid for other.test, not " + host}
	cases["no name"] = strangeCase{ca, testca.Leaf{CommonName: host}, "relies on legacy Common Name"}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			server := plainServer(c.issuer.Issue(c.leaf))
			for version := uint16(tls.VersionTLS12); version <= tls.VersionTLS13; version++ {
				server.MaxVersion = version
				refused(t, server, client, c.reason)
				refused(t, server, plainClient(ca), c.reason)
			}
			_, err := connect(t, server, client)
			if _, ok := errors.AsType[*tls.CertificateVerificationError](err); !ok {
				t.Errorf("%v is no CertificateVerificationError", err)
			}
		})
	}
}

// TestServerRefuses is the same for clients that our server must not talk to.
func TestServerRefuses(t *testing.T) {
	ca := testca.New("root")
	f, _ := files(t, ca, named(host))
	server := serverOf(t, f)
	standard := plainServer(ca.Issue(named(host)))
	standard.ClientAuth, standard.ClientCAs = tls.RequireAndVerifyClientCert, ca.Pool()
	for name, c := range strange(ca, x509.ExtKeyUsageServerAuth) {
		t.Run(name, func(t *testing.T) {
			client := plainClient(ca)
			pair := c.issuer.Issue(c.leaf).TLS()
			client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
			for version := uint16(tls.VersionTLS12); version <= tls.VersionTLS13; version++ {
				client.MaxVersion = version
				refused(t, server, client, c.reason)
				refused(t, standard, client, c.reason)
			}
		})
	}
	refused(t, server, plainClient(ca), "didn't provide a certificate")
	mustConnect(t, server, plainClient(ca, ca.Issue(testca.Leaf{CommonName: "nobody's host"})))
}

// TestMissingIntermediate holds that what the peer does not send is not made up.
func TestMissingIntermediate(t *testing.T) {
	root := testca.New("root")
	f, _ := files(t, root, named("me.test"))
	f.ServerName = host
	pair := root.Intermediate("between").Issue(named(host)).TLS()
	pair.Certificate = pair.Certificate[:1]
	refused(t, &tls.Config{Certificates: []tls.Certificate{pair}}, clientOf(t, f), "unknown authority")
}

// TestServerOnly holds that a server without CA takes clients without certificates,
// and a client without CA trusts the system, which knows no authority of a test.
func TestServerOnly(t *testing.T) {
	ca := testca.New("root")
	f, _ := files(t, ca, named(host))
	server := f
	server.CA = ""
	mustConnect(t, serverOf(t, server), clientOf(t, tlsfiles.Files{CA: f.CA, ServerName: host}))
	mustConnect(t, serverOf(t, server), plainClient(ca))
	refused(t, serverOf(t, server), clientOf(t, tlsfiles.Files{ServerName: host}), "x509: ")
}

func TestServerName(t *testing.T) {
	ca := testca.New("root")
	f, _ := files(t, ca, named(host, "10.0.0.1", "::1"))
	server := serverOf(t, f)
	client := clientOf(t, f)
	clone := func(config *tls.Config, name string) *tls.Config {
		config = config.Clone()
		config.ServerName = name
		return config
	}
	mustConnect(t, server, clone(client, host))
	refused(t, server, clone(client, "other.test"), "not other.test")
	refused(t, server, client, "ForHost")
	refused(t, server, clone(client, "10.0.0.1"), "ForHost")

	for _, name := range []string{host, "10.0.0.1", "::1", "[::1]"} {
		mustConnect(t, server, tlsfiles.ForHost(client, name))
		mustConnect(t, server, tlsfiles.ForHost(plainClient(ca, ca.Issue(named("me.test"))), name))
		f.ServerName = name
		mustConnect(t, server, clientOf(t, f))
		mustConnect(t, server, clone(clientOf(t, f), host))
		refused(t, server, clone(clientOf(t, f), "other.test"), "not other.test")
		refused(t, server, tlsfiles.ForHost(clientOf(t, f), "10.0.0.2"), "10.0.0.2")
	}
	for _, name := range []string{"other.test", "10.0.0.2", "::2"} {
		refused(t, server, tlsfiles.ForHost(client, name), name)
		f.ServerName = name
		refused(t, server, clientOf(t, f), name)
	}
	if client.ServerName != "" {
		t.Errorf("ForHost changed its argument: ServerName is %q", client.ServerName)
	}
}

// TestVersions holds the least version at both sides.
func TestVersions(t *testing.T) {
	ca := testca.New("root")
	f, _ := files(t, ca, named(host))
	f.ServerName = host
	old := plainClient(ca, ca.Issue(named("me.test")))
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	refused(t, serverOf(t, f), old, "protocol version")
	old.MaxVersion = tls.VersionTLS12
	mustConnect(t, serverOf(t, f), old)
	oldServer := plainServer(ca.Issue(named(host)))
	oldServer.MinVersion, oldServer.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	refused(t, oldServer, clientOf(t, f), "protocol version")
}

// TestNoCertificateAsked holds that a client shows its certificate only to servers
// that ask for one.
func TestNoCertificateAsked(t *testing.T) {
	ca := testca.New("root")
	f, _ := files(t, ca, named(host))
	f.ServerName = host
	l := mustConnect(t, plainServer(ca.Issue(named(host))), clientOf(t, f))
	if n := len(l.server.ConnectionState().PeerCertificates); n != 0 {
		t.Errorf("the client showed %d certificates, want none", n)
	}
}

// TestStrangersText holds that a stranger cannot write lines into a log.
func TestStrangersText(t *testing.T) {
	ca := testca.New("root")
	f, _ := files(t, ca, named(host))
	f.ServerName = host
	evil := testca.New("other").Issue(testca.Leaf{CommonName: "a\nlevel=ERROR b" + strings.Repeat("x", 2000), Names: []string{host}})
	_, err := connect(t, plainServer(evil), clientOf(t, f))
	verification, ok := errors.AsType[*tls.CertificateVerificationError](err)
	if !ok || strings.Contains(verification.Error(), "\n") || len(verification.Error()) > 1000 {
		t.Errorf("error %q, want one short line", err)
	}
}
