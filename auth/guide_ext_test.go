// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package auth_test

import (
	"crypto/tls"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/auth"
	"github.com/rollcall-rpc/rollcall/tlsfiles"
)

// What follows stands in docs/guide/identity.md too.

func serverWithTokens(config *tls.Config, tokens string) (rollcall.ServerOptions, error) {
	verify, err := auth.TokensFile(tokens)
	return rollcall.ServerOptions{
		TLS:        config,
		Admissions: []rollcall.Admission{auth.Bearer(verify)},
	}, err
}

func clientWithToken(config *tls.Config, token string) rollcall.ClientOptions {
	return rollcall.ClientOptions{TLS: config, Token: auth.TokenFile(token)}
}

func serverWithCertificates(files tlsfiles.Files) (opts rollcall.ServerOptions, err error) {
	if opts.TLS, err = files.Server(); err != nil { // of Cert, Key and CA
		return opts, err
	}
	certificate, err := auth.Certificate(opts.TLS)
	opts.Admissions = []rollcall.Admission{certificate}
	return opts, err
}

func clientWithCertificate(files tlsfiles.Files) (opts rollcall.ClientOptions, err error) {
	opts.TLS, err = files.Client() // of Cert, Key and CA
	return opts, err
}

func serverWithEither(files tlsfiles.Files, tokens string) (opts rollcall.ServerOptions, err error) {
	config, err := files.Server() // of Cert, Key and CA
	if err != nil {
		return opts, err
	}
	verify, err := auth.TokensFile(tokens)
	if err != nil {
		return opts, err
	}
	config, either, err := auth.CertificateOrToken(config, verify)
	return rollcall.ServerOptions{TLS: config, Admissions: []rollcall.Admission{either}}, err
}

func withPolicy(opts rollcall.ServerOptions, path string) (rollcall.ServerOptions, error) {
	policy, err := auth.PolicyFile(path)
	opts.Admissions = append(opts.Admissions, policy)
	return opts, err
}

func withPages(opts rollcall.ServerOptions, pages http.Handler) *rollcall.Server {
	server := rollcall.NewServer(opts)
	server.HandleHTTP("/admin/", auth.HTTP("Pages/Admin", pages, opts.Admissions...))
	return server
}

// TestGuideCode holds that the guide's code is that of this file, which the tests
// beside it run.
func TestGuideCode(t *testing.T) {
	unindented := func(file string) string {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return regexp.MustCompile(`(?m)^[ \t]+`).ReplaceAllString(string(content), "")
	}
	here := unindented("guide_ext_test.go")
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(unindented("../docs/guide/identity.md"), -1)
	if len(blocks) == 0 {
		t.Fatal("the guide has no Go code")
	}
	for _, block := range blocks {
		if !strings.Contains(here, block[1]) {
			t.Errorf("this code of the guide is not here:\n%s", block[1])
		}
	}
}
