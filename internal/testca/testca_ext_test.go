// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package testca_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-rpc/rollcall/internal/testca"
)

// verify follows the chain from pair to root as a server called name.
func verify(pair *testca.Pair, root *testca.CA, name string) error {
	cert := pair.TLS()
	between := x509.NewCertPool()
	for _, der := range cert.Certificate[1:] {
		above, err := x509.ParseCertificate(der)
		if err != nil {
			return err
		}
		between.AddCert(above)
	}
	_, err := pair.Cert.Verify(x509.VerifyOptions{Roots: root.Pool(), Intermediates: between, DNSName: name})
	return err
}

func TestIssue(t *testing.T) {
	root := testca.New("root")
	leaf := testca.Leaf{CommonName: "cn", Names: []string{"divide.test", "127.0.0.1", "::1"}, URIs: []string{"spiffe://test/divide"}}
	for _, ca := range []*testca.CA{root, root.Intermediate("middle"), root.Intermediate("upper").Intermediate("lower")} {
		pair := ca.Issue(leaf)
		for _, name := range []string{"divide.test", "127.0.0.1", "::1"} {
			if err := verify(pair, root, name); err != nil {
				t.Errorf("below %q as %q: %v", ca.Cert.Subject, name, err)
			}
		}
		if verify(pair, root, "other.test") == nil {
			t.Errorf("below %q: a name that was not asked for is good", ca.Cert.Subject)
		}
		if verify(pair, testca.New("root"), "divide.test") == nil {
			t.Errorf("below %q: another authority of the same name is good", ca.Cert.Subject)
		}
		if got := pair.Cert.Subject.CommonName; got != "cn" {
			t.Errorf("common name %q, want cn", got)
		}
		if len(pair.Cert.URIs) != 1 || pair.Cert.URIs[0].String() != "spiffe://test/divide" {
			t.Errorf("URIs %v, want spiffe://test/divide", pair.Cert.URIs)
		}
	}
}

func TestIssueBounds(t *testing.T) {
	root := testca.New("root")
	expired := root.Issue(testca.Leaf{Names: []string{"a.test"}, NotAfter: time.Now().Add(-time.Hour)})
	if verify(expired, root, "a.test") == nil {
		t.Error("an expired certificate is good")
	}
	client := root.Issue(testca.Leaf{Names: []string{"a.test"}, Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	if verify(client, root, "a.test") == nil {
		t.Error("a certificate for clients alone is good for a server")
	}
}

// TestBubble holds that certificates made outside a bubble are valid in it, where
// it is the year 2000.
func TestBubble(t *testing.T) {
	root := testca.New("root")
	pair := root.Issue(testca.Leaf{Names: []string{"a.test"}})
	synctest.Test(t, func(t *testing.T) {
		if err := verify(pair, root, "a.test"); err != nil {
			t.Error(err)
		}
	})
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	root := testca.New("root")
	pair := root.Issue(testca.Leaf{Names: []string{"a.test"}})
	certFile, keyFile := pair.Write(dir, "server")
	if _, err := tls.LoadX509KeyPair(certFile, keyFile); err != nil {
		t.Error(err)
	}
	got, err := os.ReadFile(root.Write(dir, "ca"))
	if err != nil || !bytes.Equal(got, root.PEM()) {
		t.Errorf("the authority's file has %q, %v", got, err)
	}
}
