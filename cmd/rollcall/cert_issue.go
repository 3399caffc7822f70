// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"strings"
	"time"
)

// An issued certificate, and its key.
type issued struct {
	cert            *x509.Certificate
	key             crypto.PrivateKey
	certPEM, keyPEM []byte // the key in PKCS #8
}

// newAuthority makes a root whose certificates issue no further authorities.
func newAuthority(template *x509.Certificate) (*issued, error) {
	template.Subject = pkix.Name{CommonName: "Rollcall development authority"}
	template.IsCA, template.BasicConstraintsValid, template.MaxPathLenZero = true, true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	return sign(template, nil)
}

// issue makes a certificate, which ends no later than the authority's.
func (p *issued) issue(template *x509.Certificate) (*issued, error) {
	if end := p.cert.NotAfter; !time.Now().Before(end) {
		return nil, fmt.Errorf("the authority's certificate has ended on %s: make another one with \"rollcall cert ca --force\", and issue all certificates again", end.Format(time.DateOnly))
	}
	if template.NotAfter.After(p.cert.NotAfter) {
		template.NotAfter = p.cert.NotAfter
	}
	template.BasicConstraintsValid = true
	template.KeyUsage = x509.KeyUsageDigitalSignature
	return sign(template, p)
}

// sign makes a certificate with a new key; without an authority it signs itself.
func sign(template *x509.Certificate, ca *issued) (*issued, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	parent, signer := template, crypto.PrivateKey(key)
	if ca != nil {
		parent, signer = ca.cert, ca.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return &issued{
		cert: cert, key: key,
		certPEM: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		keyPEM:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}),
	}, nil
}

// what says whom the certificate names.
func (p *issued) what() string {
	if p.cert.IsCA {
		return "an authority"
	}
	var names []string
	names = append(names, p.cert.DNSNames...)
	for _, ip := range p.cert.IPAddresses {
		names = append(names, ip.String())
	}
	for _, uri := range p.cert.URIs {
		names = append(names, uri.String())
	}
	if len(names) == 0 {
		names = []string{p.cert.Subject.CommonName}
	}
	return strings.Join(names, ", ")
}
