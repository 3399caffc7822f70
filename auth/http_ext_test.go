// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package auth_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/auth"
	"github.com/rollcall-rpc/rollcall/internal/testca"
	"github.com/rollcall-rpc/rollcall/tlsfiles"
)

// showWho answers with who asks, and with what it sees of their token.
var showWho = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	fmt.Fprint(w, rollcall.Identity(r.Context()), r.Header.Get("Authorization"))
})

// On one port calls and pages have one rule: certificate or token, then the policy.
func TestPages(t *testing.T) {
	ca := testca.New("fleet")
	files := issue(t, ca, testca.Leaf{Names: []string{"127.0.0.1"}})
	opts, err := serverWithEither(files, newFile(t, "operator s3cret\nshop other\n"))
	if err != nil {
		t.Fatal(err)
	}
	opts, err = withPolicy(opts, newFile(t, `{"Pages/*": ["operator", "spiffe://test/*"], "Who/*": ["*"]}`))
	if err != nil {
		t.Fatal(err)
	}
	server := withPages(opts, showWho)
	handleWho(server)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(context.Background(), l) }()
	t.Cleanup(func() {
		server.Close()
		<-served //nolint:errcheck // it was closed
	})
	ask := func(config *tls.Config, header ...string) (*http.Response, string) {
		t.Helper()
		web := &http.Client{Transport: &http.Transport{TLSClientConfig: config.Clone(), ForceAttemptHTTP2: true}}
		defer web.CloseIdleConnections()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+l.Addr().String()+"/admin/", nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, value := range header {
			req.Header.Add("Authorization", value)
		}
		resp, err := web.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp, string(body)
	}
	client := func(files tlsfiles.Files) *tls.Config {
		t.Helper()
		config, err := files.Client()
		if err != nil {
			t.Fatal(err)
		}
		return tlsfiles.ForHost(config, "127.0.0.1")
	}
	nobody := client(tlsfiles.Files{CA: files.CA})
	billing := client(issue(t, ca, testca.Leaf{URIs: []string{"spiffe://test/billing"}}))
	lodger := client(issue(t, ca, testca.Leaf{CommonName: "lodger"}))
	for _, tt := range []struct {
		name   string
		config *tls.Config
		header []string
		status int
		body   string
	}{
		{"a token", nobody, []string{"Bearer s3cret"}, http.StatusOK, "operator"},
		{"a certificate", billing, nil, http.StatusOK, "spiffe://test/billing"},
		{"a token that may not", nobody, []string{"Bearer other"}, http.StatusForbidden, "PermissionDenied NOT_ALLOWED: \"shop\" may not call \"Pages/Admin\""},
		{"a certificate that may not", lodger, nil, http.StatusForbidden, "lodger"},
		{"a wrong token", nobody, []string{"Bearer wrong"}, http.StatusUnauthorized, "the token is not known here"},
		{"another scheme", nobody, []string{"Basic czNjcmV0"}, http.StatusUnauthorized, "Unauthenticated"},
		{"two tokens", nobody, []string{"Bearer s3cret", "Bearer other"}, http.StatusUnauthorized, "Unauthenticated"},
		{"nothing", nobody, nil, http.StatusUnauthorized, "Unauthenticated UNIDENTIFIED"},
	} {
		resp, body := ask(tt.config, tt.header...)
		if resp.StatusCode != tt.status || (tt.status == http.StatusOK && body != tt.body) || !strings.Contains(body, tt.body) {
			t.Errorf("%s: got %s, %q, want %d, %q", tt.name, resp.Status, body, tt.status, tt.body)
		}
		if challenged := resp.Header.Get("WWW-Authenticate") != ""; challenged != (tt.status == http.StatusUnauthorized) {
			t.Errorf("%s: %s, challenged %t", tt.name, resp.Status, challenged)
		}
	}
	c, err := rollcall.NewClient("static://"+l.Addr().String(), rollcall.ClientOptions{TLS: nobody, Token: auth.StaticToken("other")})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if who, err := whoAmI.Call(t.Context(), c, new(string)); err != nil || *who != "shop" {
		t.Errorf("a call: got %v, %v", who, err)
	}
}

// What admissions say reaches the client as HTTP, and next is not asked; what they
// change of the context reaches next.
func TestHTTPAdmissions(t *testing.T) {
	type key struct{}
	var call *rollcall.CallInfo
	derives := func(ctx context.Context, c *rollcall.CallInfo) (context.Context, error) {
		call = c
		return context.WithValue(ctx, key{}, "derived"), nil
	}
	serve := func(next http.Handler, admissions ...rollcall.Admission) *httptest.ResponseRecorder {
		t.Helper()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader("12345"))
		r.Header.Set("Authorization", "Bearer s3cret")
		w := httptest.NewRecorder()
		auth.HTTP("Pages/Admin", next, admissions...).ServeHTTP(w, r)
		if r.Header.Get("Authorization") == "" {
			t.Error("the request of others has changed")
		}
		return w
	}
	w := serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Context().Value(key{}), " ", rollcall.Identity(r.Context()), r.Header.Get("Authorization"))
	}), derives, letting("ann"))
	if w.Code != http.StatusOK || w.Body.String() != "derived annBearer s3cret" {
		t.Errorf("got %d, %q", w.Code, w.Body)
	}
	if call.Method != "Pages/Admin" || call.Size != 5 || call.Peer.Addr.String() != "192.0.2.1:1234" || !call.Handled {
		t.Errorf("the admissions see %+v", call)
	}
	never := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a refused request is served") })
	for code, status := range map[rollcall.Code]int{
		rollcall.CodeUnavailable: http.StatusServiceUnavailable, rollcall.CodeUnauthenticated: http.StatusUnauthorized,
		rollcall.CodeOK: http.StatusInternalServerError,
	} {
		if w := serve(never, derives, refusing(rollcall.Errorf(code, "WHY", "no\nmore"))); w.Code != status || !strings.Contains(w.Body.String(), `WHY: no\nmore`) {
			t.Errorf("%v: got %d, %q, want %d", code, w.Code, w.Body, status)
		}
	}
}

// Nobody is let in by mistake: where there is nothing to ask there is no handler, and
// Serve says so.
func TestHTTPRefusesToLetEverybodyIn(t *testing.T) {
	for name, h := range map[string]http.Handler{
		"no handler": auth.HTTP("M", nil, letting("a")), "no admission": auth.HTTP("M", showWho), "a nil one": auth.HTTP("M", showWho, letting("a"), nil),
	} {
		s := rollcall.NewServer(rollcall.ServerOptions{})
		s.HandleHTTP("/", h)
		if err := s.ListenAndServe(t.Context(), "127.0.0.1:0"); err == nil || !strings.Contains(err.Error(), "its handler is nil") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
