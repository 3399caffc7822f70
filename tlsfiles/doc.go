// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

// Package tlsfiles makes TLS configurations of PEM files, and reads the files again
// when they change: a certificate is rotated without a restart.
//
//	config, err := tlsfiles.Files{Cert: "server.crt", Key: "server.key", CA: "ca.crt"}.Server()
//
// What it returns is a *tls.Config like any other, for whatever takes one, also
// where that clones it and sets NextProtos or ServerName. The least version is
// TLS 1.2, and TLS 1.3 is spoken wherever the peer can: older versions are broken
// (RFC 8996), while 1.2 is all that some Java clients and servers in use can do.
//
// # Rotation
//
// A handshake looks at the files, at most once per Files.Every, by content: rename,
// rewriting in place, and the links that Kubernetes turns on its volumes are all
// seen. Nothing runs in the background and nothing needs to be closed. Connections
// that are established live on; the next handshake has what the files say now.
//
// A certificate and its key change together. Files that cannot be used, such as a
// half-written one, a certificate whose key has not come yet, or an authority's file
// that is gone, change nothing: the log says so once per change, and what it names
// stays in use until the files are whole. A bundle of authorities that is cut short
// exactly between two certificates looks whole; rename a new file over the old one
// and it never is. A certificate that has expired is used, for there is nothing
// better, and the log warns.
//
// # Who is trusted
//
// With CA, both sides check the peer's chain against the authorities that the file
// has at that moment, on every connection, a resumed one too. crypto/tls can check
// only against authorities that are fixed in a config. So it is told not to
// (InsecureSkipVerify at a client, RequireAnyClientCert at a server), and
// VerifyConnection checks the same things: the chain, with what the peer sent in
// between; the time; that the certificate is one for servers, or for clients; and at
// a client the name. Three things follow:
//
//   - Who replaces VerifyConnection of such a config must call the one that was
//     there. Without it, anybody is let in.
//   - ConnectionState.VerifiedChains is empty. PeerCertificates[0] is who the peer
//     is; a connection exists only if it was verified.
//   - VerifyConnection is told of a ServerName that is a DNS name, and not of an IP
//     address. A client whose ServerName is an IP address is therefore refused every
//     connection, unless [ForHost] or Files.ServerName set it.
//
// A server with CA issues no session tickets: a client that resumed a session from
// before a rotation would be refused, where a full handshake lets it in.
//
// # Concurrency
//
// The configs may be used and cloned by any goroutine. A handshake that looks at the
// files waits for the disk; those beside it do not.
package tlsfiles
