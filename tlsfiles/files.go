// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package tlsfiles

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/rollcall-rpc/rollcall/internal/reload"
)

// Files names the PEM files of one side of TLS. Blocks of other kinds in a file are
// skipped, so one file may hold several of these.
type Files struct {
	// Cert is the file with our certificate, followed by the authorities between
	// it and the root, if there are any. Key is the file with its key, not
	// encrypted. A server needs both. A client has both or neither: it shows the
	// certificate to servers that ask for one.
	Cert, Key string

	// CA is the file with the authorities that the peer's certificate must be
	// signed by. Empty: a server asks clients for no certificate; a client trusts
	// the authorities of the operating system.
	CA string

	// ServerName is the DNS name or IP address that the server's certificate must
	// have, whatever the address that is dialled. Empty: who uses the config sets
	// it per connection, as net/http and Rollcall do. A DNS name set on a clone of
	// the config goes before this one. Clients only.
	ServerName string

	// Every is how long the files are left alone after a look. Zero: 1 s;
	// negative: they are read once.
	Every time.Duration

	// Logger is told of changes, of files that cannot be used, and of
	// certificates that have expired. Nil: slog.Default.
	Logger *slog.Logger
}

// Server returns the config of a server. With CA, clients must show a certificate
// that one of its authorities has signed (mutual TLS).
//
// It reads the files, and returns an error that names the field, the file and what
// to do when a server cannot be run with them.
func (f Files) Server() (*tls.Config, error) {
	if f.Cert == "" && f.Key == "" {
		return nil, errors.New("tlsfiles: Cert is empty: a server needs a certificate: name its PEM file in Cert, and that of its key in Key")
	}
	own, err := f.pair()
	if err != nil {
		return nil, err
	}
	config := &tls.Config{
		MinVersion: tls.VersionTLS12,
		// Not GetConfigForClient: what it returns would take the place of a clone
		// whose user has set NextProtos.
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return own.get().cert, nil },
	}
	if f.CA == "" {
		return config, nil
	}
	trusted, err := f.authorities()
	if err != nil {
		return nil, err
	}
	config.ClientAuth = tls.RequireAnyClientCert
	config.SessionTicketsDisabled = true
	config.VerifyConnection = func(state tls.ConnectionState) error {
		return trusted.get().verify(state, "", x509.ExtKeyUsageClientAuth)
	}
	return config, nil
}

// Client returns the config of a client.
//
// It reads the files, and returns an error that names the field, the file and what
// to do when a client cannot be run with them.
func (f Files) Client() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: f.ServerName}
	if f.Cert != "" || f.Key != "" {
		own, err := f.pair()
		if err != nil {
			return nil, err
		}
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return own.get().cert, nil }
	}
	if f.CA == "" {
		return config, nil
	}
	trusted, err := f.authorities()
	if err != nil {
		return nil, err
	}
	// RootCAs would be those of today for ever.
	config.InsecureSkipVerify = true
	config.VerifyConnection = func(state tls.ConnectionState) error {
		// The check of a chain skips the name where there is none.
		if state.ServerName == "" {
			return errNoServerName
		}
		return trusted.get().verify(state, state.ServerName, x509.ExtKeyUsageServerAuth)
	}
	if f.ServerName != "" {
		return ForHost(config, f.ServerName), nil
	}
	return config, nil
}

var errNoServerName = errors.New("tlsfiles: which name should the server's certificate have? ServerName is empty or an IP address, which VerifyConnection is not told: set it with ForHost, or in Files")

// ForHost returns a clone of config, any client's, for connections to host: a DNS
// name or an IP address, without a port. Unlike a clone whose ServerName is set, it
// tells an IP address to VerifyConnection too, which configs of this package need.
func ForHost(config *tls.Config, host string) *tls.Config {
	clone := config.Clone()
	clone.ServerName = host
	if verify := config.VerifyConnection; verify != nil {
		clone.VerifyConnection = func(state tls.ConnectionState) error {
			// crypto/tls has here what it sent to the server, and addresses are
			// not sent (RFC 6066, section 3).
			if state.ServerName == "" {
				state.ServerName = host
			}
			return verify(state)
		}
	}
	return clone
}

// pair opens Cert and Key.
func (f Files) pair() (*source[*pair], error) {
	switch {
	case f.Cert == "":
		return nil, fmt.Errorf("tlsfiles: Cert is empty and Key is %q: name the PEM file of the key's certificate", f.Key)
	case f.Key == "":
		return nil, fmt.Errorf("tlsfiles: Key is empty and Cert is %q: name the PEM file of the certificate's key; one file that has both is named twice", f.Cert)
	}
	return open(f, []string{f.Cert, f.Key}, func(contents [][]byte) (*pair, error) {
		return parsePair(f.Cert, f.Key, contents[0], contents[1])
	})
}

// authorities opens CA.
func (f Files) authorities() (*source[*authorities], error) {
	return open(f, []string{f.CA}, func(contents [][]byte) (*authorities, error) {
		return parseAuthorities(f.CA, contents[0])
	})
}

// field returns the name of the field that has path.
func (f Files) field(path string) string {
	switch path {
	case f.Cert:
		return "Cert"
	case f.Key:
		return "Key"
	default:
		return "CA"
	}
}

// A material is what is parsed from files: own certificate, or authorities.
type material interface {
	// about returns what the log says of it.
	about() *about
}

// A source is a material that follows its files, and a log of what becomes of it.
type source[M material] struct {
	value *reload.Value[M]
	log   *slog.Logger
}

func open[M material](f Files, paths []string, parse func(contents [][]byte) (M, error)) (*source[M], error) {
	log := f.Logger
	if log == nil {
		log = slog.Default()
	}
	log = log.With("files", paths)
	value, err := reload.Files[M]{
		Paths: paths,
		Every: f.Every,
		Parse: parse,
		Changed: func(inUse M, err error) {
			is := inUse.about()
			if err != nil {
				log.Warn("changed TLS files cannot be used: what they said before stays in use",
					"error", f.explain(err), "in_use", is.what, "valid_until", is.until)
				return
			}
			log.Info("TLS files have changed", "in_use", is.what, "valid_until", is.until)
		},
	}.Open()
	if err != nil {
		return nil, f.explain(err)
	}
	s := &source[M]{value: value, log: log}
	s.get() // for its warnings
	return s, nil
}

// get returns the material to use now, and warns when its time is not now.
func (s *source[M]) get() M {
	m := s.value.Get()
	m.about().warn(s.log, time.Now())
	return m
}
