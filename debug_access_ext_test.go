// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/discovery"
)

// ask returns the answer of a page to a request that came to local.
func ask(page http.Handler, host, local, authorization string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Host = host
	if local != "" {
		r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, net.Addr(net.TCPAddrFromAddrPort(netip.MustParseAddrPort(local)))))
	}
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	w := httptest.NewRecorder()
	page.ServeHTTP(w, r)
	return w
}

func debugPage(t *testing.T, opts rollcall.DebugOptions, log io.Writer) http.Handler {
	t.Helper()
	return newClient(t, new(discovery.Memory), rollcall.ClientOptions{
		Debug: opts, Logger: slog.New(slog.NewTextHandler(log, nil)),
	}).DebugHandler()
}

// A stranger's web page asks by the stranger's name, whatever that leads to.
func TestDebugPageHost(t *testing.T) {
	page := debugPage(t, rollcall.DebugOptions{Hosts: []string{"debug.example.com", "Ops.example.com.", "192.0.2.7", "2001:DB8::7"}}, io.Discard)
	for _, tt := range []struct {
		host, local string
		lets        bool
	}{
		{"localhost", "", true},
		{"LocalHost:8080", "", true},
		{"localhost.:8080", "", true},
		{"a.localhost", "", true},
		{"127.0.0.1:8080", "", true},
		{"127.8.9.1", "", true},
		{"[::1]:8080", "", true},
		{"[::1]", "", true},
		{"[::ffff:127.0.0.1]:1", "", true},
		{"debug.example.com", "", true},
		{"DEBUG.example.com:99", "", true},
		{"ops.example.com", "", true},
		{"192.0.2.7:80", "", true},
		{"[2001:db8::7]:80", "", true},
		{"10.1.2.3:8080", "10.1.2.3:8080", true},
		{"10.1.2.3:80", "10.1.2.3:8080", true}, // a forwarded port
		{"10.1.2.3", "[::ffff:10.1.2.3]:8080", true},
		{"[fe80::1]:8080", "[fe80::1%7]:8080", true},

		{"", "127.0.0.1:8080", false},
		{":8080", "127.0.0.1:8080", false},
		{"evil.example", "127.0.0.1:8080", false},
		{"evil.example:8080", "10.1.2.3:8080", false},
		{"localhost.evil.example", "127.0.0.1:8080", false},
		{"notlocalhost", "127.0.0.1:8080", false},
		{"127.0.0.1.evil.example", "127.0.0.1:8080", false},
		{"sub.debug.example.com", "", false},
		{"10.1.2.3:8080", "10.1.2.4:8080", false},
		{"10.1.2.3:8080", "", false},
		{"0.0.0.0:8080", "127.0.0.1:8080", false},
	} {
		w := ask(page, tt.host, tt.local, "")
		if (w.Code == http.StatusOK) != tt.lets {
			t.Errorf("Host %q at %q: %d", tt.host, tt.local, w.Code)
		}
		if !tt.lets && (w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "ClientOptions.Debug.Hosts") || strings.Contains(w.Body.String(), "target")) {
			t.Errorf("Host %q at %q: %d, %s", tt.host, tt.local, w.Code, w.Body)
		}
	}
	if got := ask(page, "localhost", "", "").Header().Get("X-Content-Type-Options"); got != "nosniff" {
		t.Errorf("X-Content-Type-Options: %q", got)
	}
}

// Over the network: the page of DebugAddr, by its own address, by another name and
// by none.
func TestDebugAddrHost(t *testing.T) {
	debug := freeAddr(t)
	startHolding(t, rollcall.ServerOptions{ID: "a", DebugAddr: debug, Debug: rollcall.DebugOptions{Token: constantToken("secret")}})
	for _, tt := range []struct {
		request string
		status  int
		says    string
	}{
		{"GET / HTTP/1.1\r\nHost: " + debug + "\r\nAuthorization: Bearer secret\r\n\r\n", http.StatusOK, ""},
		{"GET / HTTP/1.1\r\nHost: " + debug + "\r\n\r\n", http.StatusUnauthorized, "ServerOptions.Debug.Token"},
		{"GET / HTTP/1.1\r\nHost: evil.example\r\nAuthorization: Bearer secret\r\n\r\n", http.StatusForbidden, "ServerOptions.Debug.Hosts"},
		{"GET / HTTP/1.0\r\nAuthorization: Bearer secret\r\n\r\n", http.StatusForbidden, "ServerOptions.Debug.Hosts"},
	} {
		conn, err := net.Dial("tcp", debug)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, tt.request); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != tt.status || !strings.Contains(string(body), tt.says) {
			t.Errorf("%q: %s, %s, %v", tt.request, resp.Status, body, err)
		}
		conn.Close()
	}
}

func TestDebugPageToken(t *testing.T) {
	page := debugPage(t, rollcall.DebugOptions{Token: constantToken("secret")}, io.Discard)
	for header, status := range map[string]int{
		"Bearer secret":       http.StatusOK,
		"bearer secret":       http.StatusOK,
		"BEARER  secret":      http.StatusOK,
		"":                    http.StatusUnauthorized,
		"Bearer":              http.StatusUnauthorized,
		"Bearer ":             http.StatusUnauthorized,
		"Bearer secre":        http.StatusUnauthorized,
		"Bearer secret2":      http.StatusUnauthorized,
		"Bearer secret other": http.StatusUnauthorized,
		"Basic secret":        http.StatusUnauthorized,
		"secret":              http.StatusUnauthorized,
	} {
		w := ask(page, "localhost", "", header)
		if w.Code != status {
			t.Errorf("%q: %d, want %d", header, w.Code, status)
		}
		if status == http.StatusUnauthorized && (w.Header().Get("WWW-Authenticate") != "Bearer" || strings.Contains(w.Body.String(), "secret")) {
			t.Errorf("%q: %v, %s", header, w.Header(), w.Body)
		}
	}
}

// Where the token is not to be had, nobody is let in, and strangers are not told why.
func TestDebugPageWithoutItsToken(t *testing.T) {
	for name, token := range map[string]func(context.Context) (string, error){
		"error": func(context.Context) (string, error) { return "", errors.New("open /etc/token: gone") },
		"empty": constantToken(""),
	} {
		var log bytes.Buffer
		page := debugPage(t, rollcall.DebugOptions{Token: token}, &log)
		w := ask(page, "localhost", "", "Bearer ")
		if w.Code != http.StatusServiceUnavailable || strings.Contains(w.Body.String(), "gone") {
			t.Errorf("%s: %d, %s", name, w.Code, w.Body)
		}
		if got := log.String(); !strings.Contains(got, "ClientOptions.Debug.Token") || (name == "error" && !strings.Contains(got, "gone")) {
			t.Errorf("%s: logged %q", name, got)
		}
	}
}

func TestDebugOptionsCheck(t *testing.T) {
	for _, host := range []string{"", "example.com:8080", "http://example.com", "*", "*.example.com", "[::1]", "a b"} {
		opts := rollcall.DebugOptions{Hosts: []string{"fine.example.com", host}}
		_, err := rollcall.NewClient("static://127.0.0.1:1", rollcall.ClientOptions{Debug: opts})
		if err == nil || !strings.Contains(err.Error(), "ClientOptions.Debug.Hosts[1]") || !strings.Contains(err.Error(), "without a port") {
			t.Errorf("%q: %v", host, err)
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		err = rollcall.NewServer(rollcall.ServerOptions{Debug: opts}).Serve(t.Context(), l)
		if err == nil || !strings.Contains(err.Error(), "ServerOptions.Debug.Hosts[1]") {
			t.Errorf("%q: %v", host, err)
		}
	}
}

func constantToken(token string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return token, nil }
}
