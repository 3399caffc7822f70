// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"crypto/tls"
	"strings"

	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/tlsfiles"
)

// instanceFiles are those for connections between client and server.
func (a *access) instanceFiles() tlsfiles.Files {
	return tlsfiles.Files{CA: a.ca.value(), Cert: a.cert.value(), Key: a.key.value(), ServerName: a.name.value(), Logger: a.warnings()}
}

// registryTLS returns the configuration of connections to the target's registry;
// nil: clear text. A session is never in clear text where the target is zks://.
func (a *access) registryTLS(target discovery.Target) (*tls.Config, error) {
	if !target.TLS {
		return nil, a.refuseUnused(target)
	}
	ca, cert, key := &a.registryCA, &a.registryCert, &a.registryKey
	if ca.value() == "" {
		ca = &a.ca
	}
	if cert.value() == "" && key.value() == "" { // a pair, or neither
		cert, key = &a.cert, &a.key
	}
	config, err := tlsfiles.Files{CA: ca.value(), Cert: cert.value(), Key: key.value(), ServerName: a.registryName.value(), Logger: a.warnings()}.Client()
	if err != nil {
		return nil, tlsError(err, ca, cert, key)
	}
	return config, nil
}

// refuseUnused refuses flags of TLS that would protect nothing. Variables may be
// there for other targets.
func (a *access) refuseUnused(target discovery.Target) error {
	settings := []*setting{&a.registryCA, &a.registryCert, &a.registryKey, &a.registryName}
	if a.registryOnly {
		settings = append(settings, &a.ca, &a.cert, &a.key)
	}
	for _, s := range settings {
		switch {
		case s.given == "":
		case target.Scheme == discovery.SchemeZooKeeper:
			return usagef("--%s %q: target %q is in clear text: write zks:// where the registry speaks TLS, or leave the flag out", s.flag, s.given, target)
		default:
			return usagef("--%s %q: target %q has no registry to speak TLS with: leave it out", s.flag, s.given, target)
		}
	}
	return nil
}

// tlsError names the flag or the variable instead of the field of tlsfiles.Files.
func tlsError(err error, ca, cert, key *setting) error {
	text := strings.TrimPrefix(err.Error(), "tlsfiles: ")
	field, rest, _ := strings.Cut(text, " ")
	if field == "Cert" && cert.value() == "" {
		return usagef("--%s is missing beside %s %q: name the PEM file of the key's certificate", cert.flag, key.origin(), key.value())
	}
	if field == "Key" && key.value() == "" {
		return usagef("--%s is missing beside %s %q: name the PEM file of the certificate's key; one file that has both is named twice", key.flag, cert.origin(), cert.value())
	}
	if s := map[string]*setting{"CA": ca, "Cert": cert, "Key": key}[field]; s != nil {
		return usagef("%s %s", s.origin(), rest)
	}
	return usagef("%s", cmp.Or(text, "the files of TLS cannot be used"))
}
