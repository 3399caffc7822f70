// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

// Package auth tells a server who calls, and decides what they may call: admissions
// for rollcall.ServerOptions, and the tokens of clients.
//
//	verify, err := auth.TokensFile("/etc/divide/tokens")
//	…
//	policy, err := auth.PolicyFile("/etc/divide/policy.json")
//	…
//	server := rollcall.NewServer(rollcall.ServerOptions{
//		TLS:        config,
//		Admissions: []rollcall.Admission{auth.Bearer(verify), policy},
//	})
//
// and at a client
//
//	rollcall.ClientOptions{TLS: config, Token: auth.TokenFile("/var/run/secrets/token")}
//
// An admission that identifies ([Bearer], [Certificate], [Any] of them) sets
// CallInfo.Peer.Identity; one that decides ([Policy]) reads it, and stands after
// it. Handlers find it with [rollcall.Identity]. [CertificateOrToken] is the usual pair,
// and [HTTP] puts admissions before pages on the same port.
//
// # Which certificates count
//
// The certificate that a client has shown says who it is only where the server's
// tls.Config has had it verified. These configs do:
//
//   - what package tlsfiles returns for Files with CA;
//   - ClientAuth RequireAndVerifyClientCert, with ClientCAs;
//   - ClientAuth VerifyClientCertIfGiven, with ClientCAs: clients without a
//     certificate can connect, and [Certificate] refuses their calls.
//
// ClientAuth RequestClientCert or RequireAnyClientCert alone do not: anybody can
// write a certificate in anybody's name. That is why [Certificate] takes the config:
// it reports such a one instead of believing it. With a VerifyConnection of its own
// a config is taken at its word.
//
// # Refusals
//
// Who is not identified is refused with CodeUnauthenticated, who is and may not,
// with CodePermissionDenied; the Reason constants tell why. Nothing of a refused
// call is executed. No error text has a token in it.
//
// # Concurrency
//
// Everything may be used by any goroutine. Nothing runs in the background and
// nothing needs to be closed: files are looked at by the calls that need them, at
// most once a second, and what cannot be used changes nothing but the log.
package auth
