// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package auth_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/auth"
	"github.com/rollcall-rpc/rollcall/internal/testca"
)

// A call that came over TLS with a token; a server makes it of what it receives.
func exampleCall(token string) *rollcall.CallInfo {
	return &rollcall.CallInfo{
		Method:   "Divide/Divide",
		Metadata: rollcall.Metadata{rollcall.MetadataAuthorization: "Bearer " + token},
		Peer:     rollcall.Peer{TLS: new(tls.ConnectionState)},
	}
}

func ExampleBearer() {
	verify, err := auth.Tokens(map[string]string{"5f2c90ab": "billing"})
	if err != nil {
		fmt.Println(err)
		return
	}
	admit := auth.Bearer(verify) // for ServerOptions.Admissions
	for _, token := range []string{"5f2c90ab", "11111111"} {
		call := exampleCall(token)
		_, err := admit(context.Background(), call)
		fmt.Printf("%q %v\n", call.Peer.Identity, err)
	}
	// Output:
	// "billing" <nil>
	// "" Unauthenticated BAD_TOKEN: the token is not known here
}

// Signed tokens, or a server that knows them: what cannot be looked up now may be
// known at another instance.
func ExampleVerifier() {
	verify := func(context.Context, string) (string, error) {
		return "", rollcall.Errorf(rollcall.CodeUnavailable, "TOKEN_SERVER", "the token server does not answer")
	}
	_, err := auth.Bearer(verify)(context.Background(), exampleCall("5f2c90ab"))
	fmt.Println(err)
	// Output: Unavailable TOKEN_SERVER: the token server does not answer
}

func ExampleCertificate() {
	config := &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	_, err := auth.Certificate(config)
	fmt.Println(err)

	config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, testca.New("our clients").Pool()
	admit, err := auth.Certificate(config) // admit is for ServerOptions.Admissions, beside TLS: config
	fmt.Println(admit != nil, err)
	// Output:
	// auth: Certificate: config takes certificates of anybody (ClientAuth RequireAnyClientCert without VerifyConnection): set ClientAuth to tls.RequireAndVerifyClientCert, and ClientCAs
	// true <nil>
}

func ExampleAny() {
	before := auth.Bearer(func(context.Context, string) (string, error) { return "", errors.New("not of the first issuer") })
	after := auth.Bearer(func(context.Context, string) (string, error) { return "billing", nil })
	call := exampleCall("5f2c90ab")
	_, err := auth.Any(before, after)(context.Background(), call)
	fmt.Println(call.Peer.Identity, err)
	// Output: billing <nil>
}

func ExampleNewPolicy() {
	policy, err := auth.NewPolicy(map[string][]string{
		"Divide/*":     {"billing", "spiffe://example.org/shop/*"},
		"Divide/Reset": {"operator"},
		"rollcall/*":   {"*"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(policy.Allows("billing", "Divide/Divide"), policy.Allows("billing", "Divide/Reset"), policy.Allows("billing", "Other/Method"))

	admit := policy.Admission() // for ServerOptions.Admissions, after one that identifies
	_, err = admit(context.Background(), &rollcall.CallInfo{Method: "Divide/Reset", Peer: rollcall.Peer{Identity: "billing"}})
	fmt.Println(err)
	// Output:
	// true false false
	// PermissionDenied NOT_ALLOWED: "billing" may not call "Divide/Reset": add it to the policy's entry for that method
}

func ExampleStaticToken() {
	client, err := rollcall.NewClient("static://127.0.0.1:8001", rollcall.ClientOptions{
		TLS:   &tls.Config{MinVersion: tls.VersionTLS13},
		Token: auth.StaticToken("5f2c90ab"), // auth.TokenFile reads it from a file
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	// Output:
}
