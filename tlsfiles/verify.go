// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package tlsfiles

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
)

// verify checks the peer of a connection as crypto/tls does where authorities are
// fixed, and returns the error that it does. An empty host is not checked.
func (a *authorities) verify(state tls.ConnectionState, host string, usage x509.ExtKeyUsage) error {
	certs := state.PeerCertificates
	if len(certs) == 0 {
		return errors.New("tlsfiles: the peer has shown no certificate")
	}
	between := x509.NewCertPool()
	for _, cert := range certs[1:] {
		between.AddCert(cert)
	}
	_, err := certs[0].Verify(x509.VerifyOptions{
		Roots:         a.pool,
		Intermediates: between,
		DNSName:       host,
		KeyUsages:     []x509.ExtKeyUsage{usage},
	})
	if err == nil {
		return nil
	}
	return &tls.CertificateVerificationError{
		UnverifiedCertificates: certs,
		// The name is a stranger's text: it is quoted, and not all of it.
		Err: fmt.Errorf("%.200q, with the authorities in %s: %w", name(certs[0]), a.file, err),
	}
}
