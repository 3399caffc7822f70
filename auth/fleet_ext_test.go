// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package auth_test

import (
	"context"
	"crypto/tls"
	"errors"
	"testing"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/auth"
	"github.com/rollcall-rpc/rollcall/internal/testca"
	"github.com/rollcall-rpc/rollcall/rollcalltest"
	"github.com/rollcall-rpc/rollcall/tlsfiles"
)

// whoAmI answers with the caller's identity and with what it sees of their token.
var (
	whoAmI = rollcall.Method[string, string]{Name: "Who/AmI"}
	wipe   = rollcall.Method[string, string]{Name: "Admin/Wipe"}
)

func handleWho(s *rollcall.Server) {
	handle := func(ctx context.Context, _ *string) (*string, error) {
		call, _ := rollcall.InfoFromContext(ctx)
		who := call.Peer.Identity + call.Metadata[rollcall.MetadataAuthorization]
		return &who, nil
	}
	rollcall.Handle(s, whoAmI, handle)
	rollcall.Handle(s, wipe, handle)
}

// files are those of a server in memory, and of clients.
func issue(t *testing.T, ca *testca.CA, leaf testca.Leaf) tlsfiles.Files {
	t.Helper()
	dir := t.TempDir()
	cert, key := ca.Issue(leaf).Write(dir, "own")
	return tlsfiles.Files{Cert: cert, Key: key, CA: ca.Write(dir, "ca")}
}

// Calls over TLS, in memory: by token, by certificate, by either, with a policy.
func TestFleet(t *testing.T) {
	ca := testca.New("fleet")
	server := issue(t, ca, testca.Leaf{Names: []string{"server1", "server2", "server3", "server4"}})
	billing := issue(t, ca, testca.Leaf{URIs: []string{"spiffe://test/billing"}})
	nobody := tlsfiles.Files{CA: billing.CA}
	tokens, token, wrong := newFile(t, "shop s3cret\n"), newFile(t, "s3cret\n"), newFile(t, "other\n")
	policy := newFile(t, `{"Who/*": ["shop"], "Admin/*": ["spiffe://test/*"]}`)

	must := func(opts rollcall.ServerOptions, err error) rollcall.ServerOptions {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return opts
	}
	byCertificate := func(files tlsfiles.Files) rollcall.ClientOptions {
		opts, err := clientWithCertificate(files)
		if err != nil {
			t.Fatal(err)
		}
		return opts
	}
	byToken := func(file string) rollcall.ClientOptions { return clientWithToken(byCertificate(nobody).TLS, file) }
	both := byCertificate(billing)
	both.Token = auth.TokenFile(wrong)
	serverTLS, err := tlsfiles.Files{Cert: server.Cert, Key: server.Key}.Server()
	if err != nil {
		t.Fatal(err)
	}
	either := must(serverWithEither(server, tokens))

	type want struct {
		client rollcall.ClientOptions
		who    string        // empty: refused
		code   rollcall.Code // so
		reason string
	}
	for name, tt := range map[string]struct {
		server rollcall.ServerOptions
		wants  []want
	}{
		"tokens": {must(serverWithTokens(serverTLS, tokens)), []want{
			{byToken(token), "shop", 0, ""},
			{byToken(wrong), "", rollcall.CodeUnauthenticated, auth.ReasonBadToken},
			{byCertificate(billing), "", rollcall.CodeUnauthenticated, auth.ReasonNoToken},
		}},
		"certificates": {must(serverWithCertificates(server)), []want{
			{byCertificate(billing), "spiffe://test/billing", 0, ""},
			{byCertificate(nobody), "", rollcall.CodeUnavailable, rollcall.ReasonConnection},
		}},
		"either": {either, []want{
			{byToken(token), "shop", 0, ""},
			{byCertificate(billing), "spiffe://test/billing", 0, ""},
			{both, "spiffe://test/billingBearer other", 0, ""},
			{byToken(wrong), "", rollcall.CodeUnauthenticated, auth.ReasonUnidentified},
			{byCertificate(nobody), "", rollcall.CodeUnauthenticated, auth.ReasonUnidentified},
			{byCertificate(issue(t, testca.New("stranger"), testca.Leaf{CommonName: "shop"})), "", rollcall.CodeUnavailable, rollcall.ReasonConnection},
		}},
		"policy": {must(withPolicy(either, policy)), []want{
			{byToken(token), "shop", 0, ""},
			{byCertificate(billing), "", rollcall.CodePermissionDenied, auth.ReasonNotAllowed},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			service := rollcalltest.NewService(t)
			service.Serve(tt.server, handleWho)
			for i, want := range tt.wants {
				who, err := whoAmI.Call(t.Context(), service.Client(want.client), new(string))
				switch {
				case want.who != "" && (err != nil || *who != want.who):
					t.Errorf("client %d: got %v, %v, want %s", i, who, err, want.who)
				case want.who == "":
					wantError(t, err, want.code, want.reason)
					if e, ok := errors.AsType[*rollcall.Error](err); ok && e.Executed != rollcall.ExecutedNo {
						t.Errorf("client %d: a refused call is %v", i, e)
					}
				}
			}
		})
	}
}

// A forged certificate of one who may is let in by a config that only asks for one,
// which Certificate therefore does not take; nor does it believe such a connection.
func TestForgedCertificate(t *testing.T) {
	ca, forger := testca.New("fleet"), testca.New("fleet")
	asking := &tls.Config{
		Certificates: []tls.Certificate{ca.Issue(testca.Leaf{Names: []string{"server1"}}).TLS()},
		ClientAuth:   tls.RequireAnyClientCert,
	}
	if _, err := auth.Certificate(asking); err == nil {
		t.Error("a config that takes anybody's certificate is taken")
	}
	verifying := asking.Clone()
	verifying.ClientAuth, verifying.ClientCAs = tls.RequireAndVerifyClientCert, ca.Pool()
	certificate, err := auth.Certificate(verifying)
	if err != nil {
		t.Fatal(err)
	}
	service := rollcalltest.NewService(t)
	service.Serve(rollcall.ServerOptions{TLS: asking, Admissions: []rollcall.Admission{certificate}}, handleWho)
	c := service.Client(rollcall.ClientOptions{TLS: &tls.Config{
		RootCAs:      ca.Pool(),
		Certificates: []tls.Certificate{forger.Issue(testca.Leaf{CommonName: "billing"}).TLS()},
	}})
	_, err = whoAmI.Call(t.Context(), c, new(string))
	wantError(t, err, rollcall.CodeUnauthenticated, auth.ReasonUnverified)
}
