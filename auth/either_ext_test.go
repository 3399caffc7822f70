// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package auth_test

import (
	"crypto/tls"
	"errors"
	"testing"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/auth"
	"github.com/rollcall-rpc/rollcall/internal/testca"
)

// Every config that demands certificates becomes one that does not, and that still
// turns away those that are not good.
func TestCertificateOrToken(t *testing.T) {
	f := newFleet(t)
	billing := f.ca.Issue(testca.Leaf{CommonName: "billing"}).TLS()
	forged := testca.New("fleet").Issue(testca.Leaf{CommonName: "billing"}).TLS()
	picky := f.config(tls.RequireAndVerifyClientCert)
	picky.VerifyConnection = func(state tls.ConnectionState) error {
		if state.PeerCertificates[0].Subject.CommonName != "billing" { // a panic where there is none
			return errors.New("not this one")
		}
		return nil
	}
	for name, config := range map[string]*tls.Config{
		"files":      f.fromFiles(t),
		"crypto/tls": f.config(tls.RequireAndVerifyClientCert),
		"if given":   f.config(tls.VerifyClientCertIfGiven),
		"one's own":  picky,
	} {
		t.Run(name, func(t *testing.T) {
			before := config.ClientAuth
			server, admit, err := auth.CertificateOrToken(config, verifyFor("s3cret", "shop"))
			if err != nil {
				t.Fatal(err)
			}
			if config.ClientAuth != before {
				t.Error("the config that it was given has changed")
			}
			state, err := f.connect(server, billing)
			if err != nil {
				t.Fatal(err)
			}
			wantIn(t, admit, over(state), "billing")
			both := over(state)
			both.Metadata = rollcall.Metadata{rollcall.MetadataAuthorization: "Bearer s3cret"}
			wantIn(t, admit, both, "shop")
			if state, err = f.connect(server); err != nil {
				t.Fatal(err)
			}
			wantOut(t, admit, over(state), rollcall.CodeUnauthenticated, auth.ReasonUnidentified)
			token := over(state)
			token.Metadata = rollcall.Metadata{rollcall.MetadataAuthorization: "Bearer s3cret"}
			wantIn(t, admit, token, "shop")
			if _, err := f.connect(server, forged); err == nil {
				t.Error("a forged certificate connects")
			}
		})
	}
}

func TestCertificateOrTokenRefuses(t *testing.T) {
	f, verify := newFleet(t), verifyFor("s3cret", "shop")
	replaced := f.config(tls.RequireAndVerifyClientCert)
	replaced.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return nil, nil } //nolint:nilnil // it is not called
	for says, tt := range map[string]struct {
		config *tls.Config
		verify auth.Verifier
	}{
		"config is nil":           {nil, verify},
		"verify is nil":           {f.config(tls.RequireAndVerifyClientCert), nil},
		"certificates of anybody": {f.config(tls.RequireAnyClientCert), verify},
		"NoClientCert":            {f.config(tls.NoClientCert), verify},
		"GetConfigForClient":      {replaced, verify},
	} {
		config, admit, err := auth.CertificateOrToken(tt.config, tt.verify)
		if wantText(t, err, "auth: CertificateOrToken: ", says, ": "); config != nil || admit != nil {
			t.Errorf("%s: got something beside %v", says, err)
		}
	}
}
