// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package testca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"
)

var (
	validFrom  = time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)
	validUntil = time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)
)

// A CA is a certificate authority. Any goroutine may use it.
type CA struct {
	Cert *x509.Certificate

	key *ecdsa.PrivateKey
	// above are the authorities between this one and the root, the nearest
	// first, this one included; empty for a root.
	above []*x509.Certificate
}

// New returns a root authority of the common name. Two of one name are two
// authorities, with keys of their own.
func New(name string) *CA { return newCA(name, nil) }

// Intermediate returns an authority below ca. What it issues carries it along, so
// that who trusts ca alone can follow the chain.
func (ca *CA) Intermediate(name string) *CA { return newCA(name, ca) }

func newCA(name string, parent *CA) *CA {
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             validFrom,
		NotAfter:              validUntil,
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	ca := &CA{key: newKey()}
	if parent == nil {
		ca.Cert = sign(template, template, ca.key, ca.key)
		return ca
	}
	ca.Cert = sign(template, parent.Cert, ca.key, parent.key)
	ca.above = append([]*x509.Certificate{ca.Cert}, parent.above...)
	return ca
}

// PEM returns the authority's certificate, to be trusted by others.
func (ca *CA) PEM() []byte { return encodeCert(ca.Cert) }

// Pool returns a pool that holds this authority alone.
func (ca *CA) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(ca.Cert)
	return pool
}

// Write writes the authority's certificate to dir/name.crt, and returns that path.
func (ca *CA) Write(dir, name string) string {
	file := filepath.Join(dir, name+".crt")
	WriteFile(file, ca.PEM())
	return file
}

// A Leaf says what a certificate is to be. The zero Leaf names nobody.
type Leaf struct {
	CommonName string
	// Names are DNS names and IP addresses, as they are written.
	Names []string
	// URIs are names such as spiffe://test/billing.
	URIs []string
	// NotBefore and NotAfter bound its life; zero: 1999 and 2099.
	NotBefore, NotAfter time.Time
	// Usages are what it is good for; nil: servers and clients.
	Usages []x509.ExtKeyUsage
}

// A Pair is a certificate and its key.
type Pair struct {
	Cert    *x509.Certificate
	CertPEM []byte // the certificate, and the authorities between it and the root
	KeyPEM  []byte // PKCS #8
}

// Issue returns a new certificate with a new key.
func (ca *CA) Issue(leaf Leaf) *Pair {
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: leaf.CommonName},
		NotBefore:             leaf.NotBefore,
		NotAfter:              leaf.NotAfter,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           leaf.Usages,
		BasicConstraintsValid: true,
	}
	if template.NotBefore.IsZero() {
		template.NotBefore = validFrom
	}
	if template.NotAfter.IsZero() {
		template.NotAfter = validUntil
	}
	if template.ExtKeyUsage == nil {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	}
	for _, name := range leaf.Names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	for _, uri := range leaf.URIs {
		template.URIs = append(template.URIs, must(url.Parse(uri)))
	}
	key := newKey()
	cert := sign(template, ca.Cert, key, ca.key)
	certs := append([]*x509.Certificate{cert}, ca.above...)
	return &Pair{
		Cert:    cert,
		CertPEM: slices.Concat(encodeAll(certs)...),
		KeyPEM:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: must(x509.MarshalPKCS8PrivateKey(key))}),
	}
}

// TLS returns the pair as crypto/tls takes it.
func (p *Pair) TLS() tls.Certificate { return must(tls.X509KeyPair(p.CertPEM, p.KeyPEM)) }

// Write writes the pair to dir/name.crt and dir/name.key, and returns both paths.
func (p *Pair) Write(dir, name string) (certFile, keyFile string) {
	certFile, keyFile = filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key")
	WriteFile(certFile, p.CertPEM)
	WriteFile(keyFile, p.KeyPEM)
	return certFile, keyFile
}

// WriteFile writes data into the file, in place where it is there already.
func WriteFile(file string, data []byte) {
	if err := os.WriteFile(file, data, 0o600); err != nil {
		panic(err) //nolint:forbidigo // for tests, which have nothing else to do
	}
}

func newKey() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) }

func sign(template, parent *x509.Certificate, key, parentKey *ecdsa.PrivateKey) *x509.Certificate {
	der := must(x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey))
	return must(x509.ParseCertificate(der))
}

func encodeCert(cert *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
}

func encodeAll(certs []*x509.Certificate) [][]byte {
	var all [][]byte
	for _, cert := range certs {
		all = append(all, encodeCert(cert))
	}
	return all
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) //nolint:forbidigo // for tests, which have nothing else to do
	}
	return v
}
