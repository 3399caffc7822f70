// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package auth_test

import (
	"context"
	"errors"
	"maps"
	"testing"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/auth"
)

// refusing returns an admission that changes what it can of a call and refuses it.
func refusing(err error) rollcall.Admission {
	return func(_ context.Context, call *rollcall.CallInfo) (context.Context, error) {
		call.Peer.Identity = "nobody"
		call.SetMetadata("tried", "1")
		return nil, err
	}
}

func letting(identity string) rollcall.Admission {
	return func(_ context.Context, call *rollcall.CallInfo) (context.Context, error) {
		call.Peer.Identity = identity
		return nil, nil //nolint:nilnil // the context stays
	}
}

func TestAny(t *testing.T) {
	refused := refusing(rollcall.Errorf(rollcall.CodeUnauthenticated, "ONE", "one says no"))
	never := func(context.Context, *rollcall.CallInfo) (context.Context, error) {
		t.Error("an admission after the one that lets in is asked")
		return nil, errors.New("never")
	}
	wantIn(t, auth.Any(letting("first"), never), by("", "M"), "first")
	call := withAuthorization("Bearer s3cret")
	wantIn(t, auth.Any(refused, refused, letting("third"), never), call, "third")
	if !maps.Equal(call.Metadata, rollcall.Metadata{"authorization": "Bearer s3cret"}) {
		t.Errorf("what refused has left %v", call.Metadata)
	}
	// Two issuers of tokens: each sees the token, and then it is gone.
	wantIn(t, auth.Any(auth.Bearer(verifyFor("other", "a")), auth.Bearer(verifyFor("s3cret", "b"))), call, "b")
	if len(call.Metadata) != 0 {
		t.Errorf("the handler sees %v", call.Metadata)
	}
}

func TestAnyContext(t *testing.T) {
	type key struct{}
	admit := auth.Any(func(ctx context.Context, _ *rollcall.CallInfo) (context.Context, error) {
		return context.WithValue(ctx, key{}, "derived"), nil
	})
	ctx, err := admit(t.Context(), by("", "M"))
	if err != nil || ctx.Value(key{}) != "derived" {
		t.Errorf("got %v, %v", ctx, err)
	}
}

func TestAnyRefusal(t *testing.T) {
	no := func(code rollcall.Code, reason, text string) rollcall.Admission {
		return refusing(rollcall.Errorf(code, reason, "%s", text))
	}
	one, two := no(rollcall.CodeUnauthenticated, "ONE", "one says no"), no(rollcall.CodeUnauthenticated, "TWO", "two says no")
	for _, tt := range []struct {
		admissions []rollcall.Admission
		code       rollcall.Code
		reason     string
		says       []string
	}{
		{[]rollcall.Admission{one}, rollcall.CodeUnauthenticated, "ONE", []string{"one says no"}},
		{[]rollcall.Admission{one, one}, rollcall.CodeUnauthenticated, "ONE", []string{"one says no; one says no"}},
		{[]rollcall.Admission{one, two}, rollcall.CodeUnauthenticated, auth.ReasonUnidentified, []string{"one says no; two says no"}},
		{[]rollcall.Admission{one, two, one}, rollcall.CodeUnauthenticated, auth.ReasonUnidentified, nil},
		{
			[]rollcall.Admission{one, no(rollcall.CodeUnavailable, "DOWN", "down"), no(rollcall.CodePermissionDenied, "NO", "never"), two},
			rollcall.CodeUnavailable, "DOWN",
			[]string{"one says no; down; never; two says no"},
		},
		{[]rollcall.Admission{refusing(errors.New("plain")), one}, rollcall.CodeUnknown, "", []string{"plain; one says no"}},
		{[]rollcall.Admission{refusing(context.DeadlineExceeded)}, rollcall.CodeDeadlineExceeded, "", nil},
	} {
		wantOut(t, auth.Any(tt.admissions...), by("", "M"), tt.code, tt.reason, tt.says...)
	}
	details := &rollcall.Error{Code: rollcall.CodeResourceExhausted, Details: map[string]string{"k": "v"}}
	_, err := auth.Any(one, refusing(details))(t.Context(), by("", "M"))
	if e, ok := errors.AsType[*rollcall.Error](err); !ok || e.Details["k"] != "v" {
		t.Errorf("got %v, want its details", err)
	}
}

// A server reports an admission that is nil when it begins to serve.
func TestAnyOfNone(t *testing.T) {
	if auth.Any() != nil || auth.Any(letting("a"), nil) != nil {
		t.Error("Any of nothing is an admission")
	}
}
