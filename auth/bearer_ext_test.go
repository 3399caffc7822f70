// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package auth_test

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/auth"
)

func TestBearer(t *testing.T) {
	admit := auth.Bearer(verifyFor("s3cret", "billing"))
	for _, value := range []string{"Bearer s3cret", "bearer s3cret", "BEARER s3cret", "Bearer  s3cret"} {
		wantIn(t, admit, withAuthorization(value), "billing")
	}
	for _, value := range []string{"", "Bearer", "Bearer ", "s3cret", "Basic s3cret", "Bearers3cret", "Bearer s3cret other", "Bearer s3cret ", "Bearer s3\ncret", " Bearer s3cret", "Bearer s3cr\u00e9t"} {
		wantOut(t, admit, withAuthorization(value), rollcall.CodeUnauthenticated, auth.ReasonMalformedToken, "authorization")
	}
	wantOut(t, admit, withAuthorization("Bearer other"), rollcall.CodeUnauthenticated, auth.ReasonBadToken, "never seen")
	call := withAuthorization("")
	for _, call.Metadata = range []rollcall.Metadata{nil, {}, {"trace": "1"}} {
		wantOut(t, admit, call, rollcall.CodeUnauthenticated, auth.ReasonNoToken, "ClientOptions.Token")
	}
}

func TestBearerClearText(t *testing.T) {
	inClear := func(value string) *rollcall.CallInfo {
		call := withAuthorization(value)
		call.Peer.TLS = nil
		return call
	}
	verify := func(context.Context, string) (string, error) {
		t.Error("a token in clear text is looked at")
		return "billing", nil
	}
	wantOut(t, auth.Bearer(verify), inClear("Bearer s3cret"), rollcall.CodeUnauthenticated, auth.ReasonClearText, "AllowClearText")
	wantIn(t, auth.BearerWith(verifyFor("s3cret", "billing"), auth.BearerOptions{AllowClearText: true}), inClear("Bearer s3cret"), "billing")
}

// What is malformed may be a token without its scheme.
func TestBearerQuotesNoToken(t *testing.T) {
	admit := auth.Bearer(verifyFor("s3cret", "billing"))
	for _, value := range []string{"tok3n", "tok3n x", "Bearer tok3n x", "Bearer tok3n"} {
		if _, err := admit(t.Context(), withAuthorization(value)); err == nil || strings.Contains(err.Error(), "tok3n") {
			t.Errorf("%q: %v", value, err)
		}
	}
}

func TestBearerVerifierErrors(t *testing.T) {
	call := withAuthorization("Bearer s3cret")
	failing := func(err error) rollcall.Admission {
		return auth.Bearer(func(context.Context, string) (string, error) { return "billing", err })
	}
	wantOut(t, failing(rollcall.Errorf(rollcall.CodeUnavailable, "TOKEN_SERVER", "it is down")), call, rollcall.CodeUnavailable, "TOKEN_SERVER", "it is down")
	if _, err := failing(context.DeadlineExceeded)(t.Context(), call); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the context's error", err)
	}
	wantOut(t, auth.Bearer(verifyFor("s3cret", "")), call, rollcall.CodeUnauthenticated, auth.ReasonUnidentified, "nobody")
	if auth.Bearer(nil) != nil {
		t.Error("Bearer(nil) is an admission")
	}
}

// The verifier has the call's context.
func TestBearerContext(t *testing.T) {
	type key struct{}
	ctx := context.WithValue(t.Context(), key{}, "the call's")
	admit := auth.Bearer(func(ctx context.Context, _ string) (string, error) {
		identity, _ := ctx.Value(key{}).(string)
		return identity, nil
	})
	call := withAuthorization("Bearer s3cret")
	if _, err := admit(ctx, call); err != nil || call.Peer.Identity != "the call's" {
		t.Errorf("got %q, %v", call.Peer.Identity, err)
	}
}

// The token leaves the metadata that come after it; what others hold is not changed.
func TestBearerTakesTheTokenOut(t *testing.T) {
	for _, tt := range []struct{ sent, seen rollcall.Metadata }{
		{rollcall.Metadata{"authorization": "Bearer s3cret"}, nil},
		{rollcall.Metadata{"authorization": "Bearer s3cret", "trace": "1", "tenant": "2"}, rollcall.Metadata{"trace": "1", "tenant": "2"}},
	} {
		call := &rollcall.CallInfo{Metadata: tt.sent, Peer: rollcall.Peer{TLS: overTLS()}}
		wantIn(t, auth.Bearer(verifyFor("s3cret", "billing")), call, "billing")
		if !maps.Equal(call.Metadata, tt.seen) {
			t.Errorf("the handler sees %v, want %v", call.Metadata, tt.seen)
		}
		if tt.sent["authorization"] == "" {
			t.Error("the map that the call came with is written into")
		}
		call.Metadata = tt.sent
		wantIn(t, auth.BearerWith(verifyFor("s3cret", "billing"), auth.BearerOptions{KeepToken: true}), call, "billing")
		if !maps.Equal(call.Metadata, tt.sent) {
			t.Errorf("with KeepToken the handler sees %v", call.Metadata)
		}
	}
}
