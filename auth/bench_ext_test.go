// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package auth_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"testing"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/auth"
	"github.com/rollcall-rpc/rollcall/internal/testca"
)

// accepting are calls that are let in, and the most allocations that they may cost.
func accepting(t testing.TB) map[string]struct {
	admit  rollcall.Admission
	call   rollcall.CallInfo
	allocs float64
} {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	tokens := map[string]string{}
	for i := range 1000 {
		tokens[fmt.Sprintf("b3c1f0e2d4a5968778695a4b3c2d1e0f%04d", i)] = fmt.Sprintf("spiffe://test/shop/%d", i)
	}
	verify, err := auth.Tokens(tokens)
	must(err)
	policy, err := auth.NewPolicy(map[string][]string{"Divide/*": {"billing", "spiffe://test/shop/*"}})
	must(err)
	file, err := auth.PolicyFile(newFile(t, `{"Divide/*": ["billing", "spiffe://test/shop/*"]}`))
	must(err)
	ca := testca.New("fleet")
	certificate, err := auth.Certificate(&tls.Config{ClientAuth: tls.RequireAnyClientCert, VerifyConnection: func(tls.ConnectionState) error { return nil }})
	must(err)
	shown := func(leaf testca.Leaf) rollcall.CallInfo {
		state := overTLS()
		state.PeerCertificates = append(state.PeerCertificates, ca.Issue(leaf).Cert)
		return *over(state)
	}
	token := "Bearer b3c1f0e2d4a5968778695a4b3c2d1e0f0500"
	more := *withAuthorization(token)
	more.Metadata["trace"] = "1"
	return map[string]struct {
		admit  rollcall.Admission
		call   rollcall.CallInfo
		allocs float64
	}{
		"token":            {auth.Bearer(verify), *withAuthorization(token), 0},
		"token among more": {auth.Bearer(verify), more, 2}, // the metadata without it
		"token kept":       {auth.BearerWith(verify, auth.BearerOptions{KeepToken: true}), more, 0},
		"certificate, DNS": {certificate, shown(testca.Leaf{Names: []string{"billing.test"}}), 0},
		"certificate, URI": {certificate, shown(testca.Leaf{URIs: []string{"spiffe://test/billing"}}), 1}, // its text
		"any":              {auth.Any(auth.Bearer(verify), certificate), *withAuthorization(token), 0},
		"policy":           {policy.Admission(), *by("spiffe://test/shop/7", "Divide/Divide"), 0},
		"policy file":      {file, *by("spiffe://test/shop/7", "Divide/Divide"), 0},
	}
}

// What is let in costs no allocation beyond what it needs.
func TestAllocations(t *testing.T) {
	for name, tt := range accepting(t) {
		ctx, call := context.Background(), new(rollcall.CallInfo)
		got := testing.AllocsPerRun(100, func() {
			*call = tt.call
			if _, err := tt.admit(ctx, call); err != nil {
				t.Fatal(err)
			}
		})
		if got > tt.allocs {
			t.Errorf("%s: %v allocations, want at most %v", name, got, tt.allocs)
		}
	}
}

func BenchmarkAccept(b *testing.B) {
	for name, tt := range accepting(b) {
		b.Run(name, func(b *testing.B) {
			ctx, call := context.Background(), new(rollcall.CallInfo)
			b.ReportAllocs()
			for b.Loop() {
				*call = tt.call
				if _, err := tt.admit(ctx, call); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
