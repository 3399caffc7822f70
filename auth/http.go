// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/rollcall-rpc/rollcall"
)

// HTTP puts admissions before a handler of HTTP: it serves the requests that would be
// let in as calls of method. So pages have the rules of calls, and a line in the
// policy.
//
//	server.HandleHTTP("/admin/", auth.HTTP("Pages/Admin", pages, opts.Admissions...))
//
// The admissions are asked in order. They see the header "Authorization" as the
// metadata "authorization", the TLS of the connection with the client's certificate,
// its address and the size of the body, -1 where that is not known before. What they
// take out of the metadata, as [Bearer] does with a good token, is taken out of the
// header that next sees. [rollcall.Identity] finds in the request's context who it
// is.
//
// A refusal is answered with the status of its code (Code.HTTPStatus: 401 for who
// is not identified, 403 for who may not) and its text on one line.
//
// Nil where next or an admission is nil or there is no admission: that would let
// everybody in. [rollcall.Server.HandleHTTP] reports it. A browser shows its
// certificate to whatever a stranger's page has it ask for: put an
// [http.CrossOriginProtection] before what changes something.
func HTTP(method string, next http.Handler, admissions ...rollcall.Admission) http.Handler {
	if next == nil || len(admissions) == 0 || slices.ContainsFunc(admissions, func(a rollcall.Admission) bool { return a == nil }) {
		return nil
	}
	return &admitted{method: method, next: next, admissions: slices.Clone(admissions)}
}

// An admitted is a handler behind admissions.
type admitted struct {
	method     string
	next       http.Handler
	admissions []rollcall.Admission
}

// ServeHTTP implements [http.Handler].
func (a *admitted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	call := &rollcall.CallInfo{
		Method: a.method, Handled: true, Size: int(r.ContentLength),
		Peer: rollcall.Peer{Addr: addrOf(r.RemoteAddr), TLS: r.TLS},
	}
	// Two of them would be two callers: no token has a comma and a space in it.
	if lines := r.Header.Values("Authorization"); len(lines) > 0 {
		call.Metadata = rollcall.Metadata{rollcall.MetadataAuthorization: strings.Join(lines, ", ")}
	}
	ctx := rollcall.ContextWithInfo(r.Context(), call)
	for _, admit := range a.admissions {
		derived, err := admit(ctx, call)
		if err != nil {
			refuseHTTP(w, asError(err))
			return
		}
		if derived != nil {
			ctx = derived //nolint:fatcontext // as many as there are admissions
		}
	}
	r = r.WithContext(ctx)
	if _, kept := call.Metadata[rollcall.MetadataAuthorization]; !kept {
		r.Header = r.Header.Clone()
		r.Header.Del("Authorization")
	}
	a.next.ServeHTTP(w, r)
}

// refuseHTTP answers with a refusal.
func refuseHTTP(w http.ResponseWriter, err *rollcall.Error) {
	status := err.Code.HTTPStatus()
	if status < http.StatusBadRequest { // an error of CodeOK
		status = http.StatusInternalServerError
	}
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer") // RFC 9110, section 15.5.2, demands one
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, err.Error(), status)
}

// addrOf returns the address of a request's client, whatever its network.
func addrOf(remote string) net.Addr {
	if addr, err := netip.ParseAddrPort(remote); err == nil {
		return net.TCPAddrFromAddrPort(addr)
	}
	return textAddr(remote)
}

// A textAddr is an address that is no IP address.
type textAddr string

// Network implements [net.Addr].
func (textAddr) Network() string { return "" }

// String implements [net.Addr].
func (a textAddr) String() string { return string(a) }
