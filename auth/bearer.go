// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"context"
	"strings"

	"github.com/rollcall-rpc/rollcall"
)

// A Verifier returns whose token it is, or an error: [Tokens], [TokensFile], or a
// service's own, for signed tokens or a token server. It is called for each call,
// from many goroutines, and ends with ctx.
//
// An error with a code of its own (a *rollcall.Error, a context's) reaches the
// caller as it is: CodeUnavailable where the token could not be looked up, and the
// call goes to another instance. Any other becomes CodeUnauthenticated,
// ReasonBadToken, with its text, which must not quote the token.
type Verifier = func(ctx context.Context, token string) (identity string, err error)

// BearerOptions are those of [BearerWith].
type BearerOptions struct {
	// AllowClearText lets tokens in that came over a connection without TLS, where
	// whoever stands in between can read and use them. The client needs
	// AllowTokenInClearText for it.
	AllowClearText bool

	// KeepToken leaves the token in the metadata that interceptors and handlers
	// see. Otherwise it is taken out once it has been verified: a handler that logs
	// its metadata does not spread it.
	KeepToken bool
}

// Bearer returns an admission that identifies the caller by a bearer token, in the
// metadata "authorization", "Bearer …" (RFC 6750), over TLS. Nil where verify is nil,
// which [rollcall.NewServer]'s Serve reports.
func Bearer(verify Verifier) rollcall.Admission { return BearerWith(verify, BearerOptions{}) }

// BearerWith is [Bearer] with options.
func BearerWith(verify Verifier, opts BearerOptions) rollcall.Admission {
	if verify == nil {
		return nil
	}
	return func(ctx context.Context, call *rollcall.CallInfo) (context.Context, error) {
		value, ok := call.Metadata[rollcall.MetadataAuthorization]
		if !ok {
			return nil, unauthenticated(ReasonNoToken, "the call carries no token: set ClientOptions.Token")
		}
		token, ok := parseBearer(value)
		if !ok {
			return nil, unauthenticated(ReasonMalformedToken, `metadata "authorization" of %d bytes: write "Bearer", a space and the token`, len(value))
		}
		if call.Peer.TLS == nil && !opts.AllowClearText {
			return nil, unauthenticated(ReasonClearText, "the token came over clear text, where others may have read it: connect with TLS, or set BearerOptions.AllowClearText at the server")
		}
		identity, err := verify(ctx, token)
		switch {
		case err != nil && rollcall.CodeOf(err) != rollcall.CodeUnknown:
			return nil, err
		case err != nil:
			return nil, unauthenticated(ReasonBadToken, "%w", err)
		case identity == "":
			return nil, unauthenticated(ReasonUnidentified, "the verifier of tokens names nobody for this one")
		}
		call.Peer.Identity = identity
		if !opts.KeepToken {
			call.Metadata = withoutToken(call.Metadata)
		}
		return ctx, nil
	}
}

// parseBearer returns the token of an authorization, RFC 6750, section 2.1.
func parseBearer(value string) (token string, ok bool) {
	scheme, rest, _ := strings.Cut(value, " ")
	token = strings.TrimLeft(rest, " ")
	return token, strings.EqualFold(scheme, "Bearer") && checkToken(token) == nil
}

// withoutToken returns m without the authorization. m itself may be in the hands of
// others, such as events.
func withoutToken(m rollcall.Metadata) rollcall.Metadata {
	if len(m) == 1 {
		return nil
	}
	rest := make(rollcall.Metadata, len(m)-1)
	for key, value := range m {
		if key != rollcall.MetadataAuthorization {
			rest[key] = value
		}
	}
	return rest
}
