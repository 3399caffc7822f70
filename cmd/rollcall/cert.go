// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"
)

// authorityFile is the name of an authority's files, "ca.crt" and "ca.key".
const authorityFile = "ca"

func newCert() *cobra.Command {
	return group(&cobra.Command{
		Use:   "cert COMMAND",
		Short: "Make certificates for development and tests",
		Long: `Make an authority, and certificates of it for servers and clients, as PEM files
that --tls-ca, --tls-cert, --tls-key and package tlsfiles take. They are for
development and tests: whoever reads ca.key can be everybody. In production have
something issue them that keeps its key to itself.`,
		Example: `  rollcall cert ca
  rollcall cert server 127.0.0.1 localhost
  rollcall cert client billing`,
	}, newCertCA(), newCertServer(), newCertClient())
}

// A certCommand is what the commands of "rollcall cert" share.
type certCommand struct {
	dir   directory
	name  fileName
	valid span
	force bool
}

// addFlags gives the command its flags; a name only where there is a choice.
func (c *certCommand) addFlags(cmd *cobra.Command, valid time.Duration, name string) *cobra.Command {
	c.dir, c.name, c.valid = ".", fileName(name), span{d: valid, least: time.Minute}
	cmd.Flags().Var(&c.dir, "dir", "where the files are; it is made if need be")
	if name != authorityFile {
		cmd.Flags().Var(&c.name, "name", "of the files, without .crt and .key")
	}
	cmd.Flags().Var(&c.valid, "valid", "how long the certificate is")
	cmd.Flags().BoolVar(&c.force, "force", false, "replace files that are there")
	if err := cmd.RegisterFlagCompletionFunc("dir", completeDirs); err != nil {
		panic(fmt.Sprintf("rollcall: completion of --dir: %v", err)) //nolint:forbidigo // it exists and has none
	}
	return cmd
}

func newCertCA() *cobra.Command {
	c := new(certCommand)
	return c.addFlags(&cobra.Command{
		Use:   "ca",
		Short: "Make an authority: ca.crt for everybody, ca.key to issue with",
		Long: `Make an authority for development: ca.crt, which servers and clients trust, and
ca.key, with which the other commands issue certificates. A key can be read by its
owner alone. Files that are there are left alone, unless --force is given.`,
		Example: `  rollcall cert ca
  rollcall cert ca --dir certs --valid 720h`,
		Args: argCount(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := newAuthority(c.life(time.Now()))
			if err != nil {
				return fmt.Errorf("cert: %w", err)
			}
			return c.write(cmd.OutOrStdout(), p)
		},
	}, 365*24*time.Hour, authorityFile)
}

func newCertServer() *cobra.Command {
	c := new(certCommand)
	return c.addFlags(&cobra.Command{
		Use:   "server HOST...",
		Short: "Issue the certificate of a server that is reached by these hosts",
		Long: `Issue the certificate of a server, server.crt and server.key, by the authority in
the same directory. HOST is a name or an address, without a port: what the server's
entry in the list shows, or what clients ask for with --tls-name. Several servers may
share a certificate that names all of their hosts.`,
		Example: `  rollcall cert server 127.0.0.1 localhost
  rollcall cert server 10.1.2.3 --name server1
  rollcall cert server '*.divide.example' --dir certs`,
		Args: argsFrom(1, "HOST"),
		RunE: func(cmd *cobra.Command, args []string) error {
			template := c.life(time.Now())
			template.Subject = pkix.Name{CommonName: args[0]}
			template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
			for _, host := range args {
				if ip := net.ParseIP(host); ip != nil {
					template.IPAddresses = append(template.IPAddresses, ip)
					continue
				}
				if !isHostName(host) {
					return usagef("HOST %q: give a DNS name or an IP address, without a port", host)
				}
				template.DNSNames = append(template.DNSNames, host)
			}
			return c.issue(cmd.OutOrStdout(), template)
		},
	}, 30*24*time.Hour, "server")
}

func newCertClient() *cobra.Command {
	c := new(certCommand)
	return c.addFlags(&cobra.Command{
		Use:   "client IDENTITY",
		Short: "Issue the certificate of a client",
		Long: `Issue the certificate of a client, client.crt and client.key, by the authority in
the same directory. IDENTITY is who it is to servers that ask for certificates, and in
their policies: a name such as billing, or a URI such as spiffe://example.org/billing.`,
		Example: `  rollcall cert client billing
  rollcall cert client spiffe://example.org/shop/billing --dir certs --name billing`,
		Args: argCount(1, "IDENTITY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			template, identity := c.life(time.Now()), args[0]
			template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
			if strings.Contains(identity, "://") {
				uri, err := url.Parse(identity)
				if err != nil || uri.Scheme == "" || uri.Host == "" {
					return usagef("IDENTITY %q: give a URI with a scheme and a host, such as spiffe://example.org/billing", identity)
				}
				template.URIs = []*url.URL{uri}
			} else {
				if !isCommonName(identity) {
					return usagef("IDENTITY %q: give a name of 1 to 64 characters that can be printed, or a URI", identity)
				}
				template.Subject = pkix.Name{CommonName: identity}
			}
			return c.issue(cmd.OutOrStdout(), template)
		},
	}, 30*24*time.Hour, "client")
}

// life returns a certificate of which no more is said than how long it is valid. It
// begins a minute ago, for clocks that are late.
func (c *certCommand) life(now time.Time) *x509.Certificate {
	return &x509.Certificate{NotBefore: now.Add(-time.Minute), NotAfter: now.Add(c.valid.d)}
}

// issue has the authority in the directory make a certificate, and writes it.
func (c *certCommand) issue(stdout io.Writer, template *x509.Certificate) error {
	if err := c.vacant(); err != nil {
		return err
	}
	ca, err := readAuthority(c.path(authorityFile))
	if err != nil {
		return fmt.Errorf("cert: %w: make an authority with \"rollcall cert ca --dir %s\"", err, c.dir)
	}
	p, err := ca.issue(template)
	if err != nil {
		return fmt.Errorf("cert: %w", err)
	}
	return c.write(stdout, p)
}

// path returns a file's, without .crt and .key.
func (c *certCommand) path(name string) string { return filepath.Join(string(c.dir), name) }

// isHostName reports whether a certificate may have that DNS name; the first label may
// be "*".
func isHostName(s string) bool {
	s, _ = strings.CutPrefix(s, "*.")
	if s == "" || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" {
			return false
		}
	}
	return true
}

// isCommonName reports whether a subject may be called so (RFC 5280, ub-common-name).
func isCommonName(s string) bool {
	n := 0
	for _, r := range s {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return false
		}
		n++
	}
	return n >= 1 && n <= 64 && strings.TrimSpace(s) == s
}
