// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/rollcall-rpc/rollcall/internal/loglimit"
)

// DebugOptions say who may read a debug page. The zero value lets in whoever
// reaches it and asks for it by a loopback name or address, or by the address that
// the request came to.
//
// A request that asks by another name, or by none, is answered 403: a web page of
// a stranger can have a browser inside the network ask for it under the stranger's
// own name (DNS rebinding), and would read the answer.
type DebugOptions struct {
	// Hosts are further names and addresses to ask by, without a port:
	// "debug.example.com", "192.0.2.7". Needed behind a proxy, and where a name
	// leads to the machine.
	Hosts []string

	// Token returns the bearer token that a request must have in its
	// Authorization header; others are answered 401. Package auth has it from a
	// file. It is called for each request; its error, or an empty token, is
	// logged and answered 503. The page itself speaks clear text: over a network,
	// put it behind something that speaks TLS. Nil: nobody is asked.
	Token func(ctx context.Context) (string, error)
}

// check returns what is wrong with the options, joined.
func (o *DebugOptions) check(field string) error {
	var problems []error
	for i, host := range o.Hosts {
		_, err := netip.ParseAddr(host)
		if host == "" || (err != nil && strings.ContainsAny(host, ":/*[]@ ")) {
			problems = append(problems, fmt.Errorf(`rollcall: %s.Hosts[%d] %q: give a name or an address without a port, such as "debug.example.com"`, field, i, host))
		}
	}
	return errors.Join(problems...)
}

// A debugPage answers GET with what state returns, as JSON.
type debugPage[T any] struct {
	field string // of the options, for texts
	opts  DebugOptions
	log   *loglimit.Limiter
	state func() T
}

func newDebugPage[T any](field string, opts DebugOptions, log *slog.Logger, state func() T) http.Handler {
	return &debugPage[T]{field: field, opts: opts, log: loglimit.New(log, nil), state: state}
}

// ServeHTTP implements [http.Handler].
func (p *debugPage[T]) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !p.opts.knows(r.Host, local) {
		http.Error(w, fmt.Sprintf("Host %.200q is not this page's: ask by a loopback address or the listener's own, or name the host in %s.Hosts", r.Host, p.field), http.StatusForbidden)
		return
	}
	if p.opts.Token != nil {
		want, err := p.opts.Token(r.Context())
		if err == nil && want == "" {
			err = errors.New("it returned an empty token")
		}
		if err != nil {
			p.log.Error("nobody can read the debug page: there is no token to compare with", "option", p.field+".Token", "error", err)
			http.Error(w, p.field+".Token has no token: the log says why", http.StatusServiceUnavailable)
			return
		}
		if !hasToken(r.Header.Get("Authorization"), want) {
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, `send the header "Authorization: Bearer …" with the token of `+p.field+".Token", http.StatusUnauthorized)
			return
		}
	}
	if !readOnly(w, r) {
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff") // no other site's script either
	w.Header().Set("Cache-Control", "no-store")
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.Encode(p.state()) //nolint:errcheck // the reader has gone
}

// knows tells whether a request may ask by host, with or without a port. local is
// the address that it came to; nil: not known. The port does not count: it is
// another one at the near end of a tunnel, and rebinding is about the name.
func (o *DebugOptions) knows(host string, local net.Addr) bool {
	host = canonicalHost(host)
	if host == "localhost" || strings.HasSuffix(host, ".localhost") { // loopback, by RFC 6761, section 6.3
		return true
	}
	if addr, err := netip.ParseAddr(host); err == nil && addr.IsLoopback() {
		return true
	}
	if tcp, ok := local.(*net.TCPAddr); ok && host == canonicalHost(tcp.String()) {
		return true
	}
	return host != "" && slices.ContainsFunc(o.Hosts, func(known string) bool { return host == canonicalHost(known) })
}

// canonicalHost returns the name or address in a Host header, without the port, in
// the one spelling that can be compared.
func canonicalHost(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Unmap().WithZone("").String()
	}
	return strings.TrimSuffix(strings.ToLower(host), ".")
}

// hasToken tells whether an Authorization header has the token. How long it takes
// says nothing about want.
func hasToken(header, want string) bool {
	scheme, got, _ := strings.Cut(header, " ")
	a, b := sha256.Sum256([]byte(strings.TrimLeft(got, " "))), sha256.Sum256([]byte(want))
	return strings.EqualFold(scheme, "Bearer") && subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// readOnly answers a request that is neither GET nor HEAD, and reports false.
func readOnly(w http.ResponseWriter, r *http.Request) bool {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return true
	}
	w.Header().Set("Allow", "GET, HEAD")
	http.Error(w, "GET it", http.StatusMethodNotAllowed)
	return false
}
