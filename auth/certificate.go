// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/rollcall-rpc/rollcall"
)

// Certificate returns an admission that identifies the caller by the certificate
// which its client has shown, by [CertificateIdentity]. config is the server's, that
// of its ServerOptions.TLS: it must have certificates verified, and an error says
// where it does not. The package documentation has the configs that do.
//
// A config that sets GetConfigForClient may have others in its place; then, and with
// ClientAuth RequireAndVerifyClientCert or VerifyClientCertIfGiven, a certificate
// counts only where crypto/tls itself has verified it (VerifiedChains).
func Certificate(config *tls.Config) (rollcall.Admission, error) {
	itself, err := verifiesItself(config)
	if err != nil {
		return nil, fmt.Errorf("auth: Certificate: %w", err)
	}
	return func(ctx context.Context, call *rollcall.CallInfo) (context.Context, error) {
		state := call.Peer.TLS
		switch {
		case state == nil:
			return nil, unauthenticated(ReasonClearText, "a client's certificate is needed, and the connection is clear text: connect with TLS, and set a certificate there")
		case len(state.PeerCertificates) == 0:
			return nil, unauthenticated(ReasonNoCertificate, "the client has shown no certificate: set one in ClientOptions.TLS")
		case len(state.VerifiedChains) == 0 && !itself:
			return nil, unauthenticated(ReasonUnverified, "the client's certificate has not been verified: the connection's tls.Config is not the one that auth.Certificate was given, or GetConfigForClient returned one that does not verify")
		}
		identity := CertificateIdentity(state.PeerCertificates[0])
		if identity == "" {
			return nil, unauthenticated(ReasonUnidentified, "the client's certificate names nobody: have one issued with a URI, a DNS name or a common name")
		}
		call.Peer.Identity = identity
		return ctx, nil
	}, nil
}

// verifiesItself tells whether a config's certificates are verified by its
// VerifyConnection rather than by crypto/tls, and returns an error where nobody
// verifies them.
func verifiesItself(config *tls.Config) (bool, error) {
	switch {
	case config == nil:
		return false, errors.New("config is nil: give the *tls.Config of ServerOptions.TLS")
	case config.GetConfigForClient != nil:
		return false, nil
	}
	switch auth := config.ClientAuth; auth {
	case tls.NoClientCert:
		return false, errors.New("config asks clients for no certificate (ClientAuth NoClientCert): set CA in tlsfiles.Files, or ClientAuth to tls.RequireAndVerifyClientCert and ClientCAs")
	case tls.RequestClientCert, tls.RequireAnyClientCert:
		// VerifyPeerCertificate is not enough: it is not called for a session that
		// is resumed.
		if config.VerifyConnection == nil {
			return false, fmt.Errorf("config takes certificates of anybody (ClientAuth %v without VerifyConnection): set ClientAuth to tls.RequireAndVerifyClientCert, and ClientCAs", auth)
		}
		return true, nil
	default:
		// A nil ClientCAs is the operating system's: whom the web trusts, not a client.
		if config.ClientCAs == nil && config.VerifyConnection == nil {
			return false, fmt.Errorf("config trusts every authority of the operating system (ClientAuth %v without ClientCAs): set ClientCAs to those that issue your clients' certificates", auth)
		}
		return false, nil
	}
}

// CertificateIdentity returns whom a certificate names: its first URI, such as a
// SPIFFE ID, else its first DNS name, else the subject's common name. Empty: nobody.
// It does not say whether the certificate is true.
func CertificateIdentity(cert *x509.Certificate) string {
	switch {
	case len(cert.URIs) > 0:
		return cert.URIs[0].String()
	case len(cert.DNSNames) > 0:
		return cert.DNSNames[0]
	}
	return cert.Subject.CommonName
}
