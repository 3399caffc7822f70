// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package tlsfiles

import (
	"crypto/x509"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"
)

// An about is what the log says of certificates.
type about struct {
	what        string
	from, until time.Time // when at least one of them is valid
	warned      atomic.Bool
}

// newAbout describes certs, at least one.
func newAbout(certs []*x509.Certificate) *about {
	a := &about{what: name(certs[0]), from: certs[0].NotBefore, until: certs[0].NotAfter}
	for _, cert := range certs[1:] {
		if cert.NotBefore.Before(a.from) {
			a.from = cert.NotBefore
		}
		if cert.NotAfter.After(a.until) {
			a.until = cert.NotAfter
		}
	}
	if more := len(certs) - 1; more > 0 {
		a.what += fmt.Sprintf(" and %d more", more)
	}
	return a
}

// name returns what tells a certificate from others, also from those that it took
// the place of.
func name(cert *x509.Certificate) string {
	var names []string
	if subject := cert.Subject.String(); subject != "" {
		names = append(names, subject)
	}
	names = append(names, cert.DNSNames...)
	for _, ip := range cert.IPAddresses {
		names = append(names, ip.String())
	}
	for _, uri := range cert.URIs {
		names = append(names, uri.String())
	}
	return fmt.Sprintf("%s (serial %x)", strings.Join(names, ", "), cert.SerialNumber)
}

// warn says once that now is outside the time of the certificates.
func (a *about) warn(log *slog.Logger, now time.Time) {
	if !now.Before(a.from) && !now.After(a.until) || !a.warned.CompareAndSwap(false, true) {
		return
	}
	if now.Before(a.from) {
		log.Warn("the TLS certificates in use are not valid yet, handshakes fail: look at the clock", "in_use", a.what, "valid_from", a.from)
		return
	}
	log.Warn("the TLS certificates in use have expired, handshakes fail until their file has a new one", "in_use", a.what, "valid_until", a.until)
}
