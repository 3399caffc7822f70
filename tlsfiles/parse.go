// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package tlsfiles

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// A pair is our certificate with its key.
type pair struct {
	cert *tls.Certificate
	is   *about
}

func (p *pair) about() *about { return p.is }

// parsePair makes a pair of what is in its files.
func parsePair(certFile, keyFile string, certPEM, keyPEM []byte) (*pair, error) {
	certs, err := certificates(certPEM)
	if err != nil {
		return nil, fault("Cert", certFile, err)
	}
	if err := checkKey(keyPEM); err != nil {
		return nil, fault("Key", keyFile, err)
	}
	cert, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, fault("Key", keyFile, fmt.Errorf("no use with Cert %q: %w: name the key of the first certificate in that file", certFile, err))
	}
	return &pair{cert: &cert, is: newAbout(certs[:1])}, nil
}

// authorities are those who may sign the peer's certificate.
type authorities struct {
	file string
	pool *x509.CertPool
	is   *about
}

func (a *authorities) about() *about { return a.is }

// parseAuthorities makes authorities of what is in their file.
func parseAuthorities(file string, data []byte) (*authorities, error) {
	certs, err := certificates(data)
	if err != nil {
		return nil, fault("CA", file, err)
	}
	pool := x509.NewCertPool()
	for _, cert := range certs {
		pool.AddCert(cert)
	}
	return &authorities{file: file, pool: pool, is: newAbout(certs)}, nil
}

// fault says what is wrong with the file of a field.
func fault(field, file string, err error) error {
	return fmt.Errorf("tlsfiles: %s %q: %w", field, file, err)
}

// explain names the field of a file that cannot be read. Other errors have it.
func (f Files) explain(err error) error {
	unread, ok := errors.AsType[*fs.PathError](err)
	if !ok {
		return err
	}
	return fault(f.field(unread.Path), unread.Path, fmt.Errorf("%w: name a PEM file that this process may read", unread.Err))
}

// certificates returns those in data, at least one.
func certificates(data []byte) ([]*x509.Certificate, error) {
	all, err := blocks(data)
	if err != nil {
		return nil, err
	}
	var certs []*x509.Certificate
	for _, block := range all {
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d in it: %w: write it anew", len(certs)+1, err)
		}
		certs = append(certs, cert)
	}
	switch {
	case len(certs) > 0:
		return certs, nil
	case len(all) > 0:
		return nil, fmt.Errorf("no certificate in it but %q: name the file that has a block BEGIN CERTIFICATE", all[0].Type)
	default:
		return nil, errors.New("no certificate in it: it must be PEM, with a block BEGIN CERTIFICATE (for DER: openssl x509 -inform der)")
	}
}

// checkKey finds what is wrong with a key's file by itself.
func checkKey(data []byte) error {
	all, err := blocks(data)
	if err != nil {
		return err
	}
	for _, block := range all {
		switch {
		case block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "":
			return errors.New("the key in it is encrypted: decrypt it (openssl pkey -in FILE -out NEW), and let nobody else read the new file")
		case block.Type == "PRIVATE KEY" || strings.HasSuffix(block.Type, " PRIVATE KEY"):
			return nil
		}
	}
	if len(all) > 0 {
		return fmt.Errorf("no key in it but %q: name the file that has a block BEGIN PRIVATE KEY", all[0].Type)
	}
	return errors.New("no key in it: it must be PEM, with a block BEGIN PRIVATE KEY (for DER: openssl pkey -inform der)")
}

// blocks returns the PEM blocks of data. Damaged ones are an error: pem.Decode skips
// them, and half a bundle would look like a whole one.
func blocks(data []byte) ([]*pem.Block, error) {
	var all []*pem.Block
	for rest := data; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		all = append(all, block)
	}
	const begin = "-----BEGIN "
	lastLine := string(data[bytes.LastIndexByte(data, '\n')+1:])
	cut := lastLine != "" && strings.HasPrefix(begin, lastLine)
	if cut || bytes.Count(data, []byte(begin)) != len(all) {
		return nil, errors.New("a PEM block in it is cut short or damaged: write the file whole, and rename it into its place")
	}
	return all, nil
}
