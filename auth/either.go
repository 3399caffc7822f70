// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"crypto/tls"
	"errors"
	"fmt"

	"github.com/rollcall-rpc/rollcall"
)

// CertificateOrToken returns what a server needs whose callers have either a client
// certificate or a bearer token: a config for ServerOptions.TLS, and the admission.
//
//	config, err := tlsfiles.Files{Cert: "server.crt", Key: "server.key", CA: "ca.crt"}.Server()
//	…
//	config, either, err := auth.CertificateOrToken(config, verify)
//
// config is that of a server that demands certificates, as [Certificate] takes it, and
// is left as it is; the one that is returned lets clients connect that have none.
// Those that show one must still have one that config verifies; a VerifyConnection of
// its own is not called for the others. The admission is [Any] of [Bearer] and
// [Certificate]: who has both is who the token says, if it is good, and else who the
// certificate says.
//
// It is an error where verify or config is nil, where config does not verify
// certificates, or where it sets GetConfigForClient, which would have the last word.
func CertificateOrToken(config *tls.Config, verify Verifier) (*tls.Config, rollcall.Admission, error) {
	itself, err := verifiesItself(config)
	switch {
	case err == nil && verify == nil:
		err = errors.New("verify is nil: give Tokens, TokensFile or a Verifier of your own")
	case err == nil && config.GetConfigForClient != nil:
		err = errors.New("config sets GetConfigForClient, whose configs take its place: set GetCertificate instead")
	}
	if err != nil {
		return nil, nil, fmt.Errorf("auth: CertificateOrToken: %w", err)
	}
	config = config.Clone()
	config.ClientAuth = tls.VerifyClientCertIfGiven
	if itself {
		config.ClientAuth = tls.RequestClientCert
	}
	if verified := config.VerifyConnection; verified != nil {
		config.VerifyConnection = func(state tls.ConnectionState) error {
			if len(state.PeerCertificates) == 0 {
				return nil // it will need a token
			}
			return verified(state)
		}
	}
	certificate, err := Certificate(config)
	// A good token is to be taken out of the metadata, so Bearer stands first.
	return config, Any(Bearer(verify), certificate), err
}
