// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

// Package testca makes certificates for tests of TLS: an authority, certificates
// for servers and clients below it, and the PEM files that programs read.
//
//	ca := testca.New("services")
//	server := ca.Issue(testca.Leaf{Names: []string{"127.0.0.1", "divide.test"}})
//	client := ca.Issue(testca.Leaf{CommonName: "billing", URIs: []string{"spiffe://test/billing"}})
//	certFile, keyFile := server.Write(dir, "server") // dir/server.crt, dir/server.key
//	caFile := ca.Write(dir, "ca")                    // dir/ca.crt
//
// What is issued is valid from 1999 to 2099 unless a [Leaf] says otherwise: at the
// real time and in the bubbles of testing/synctest, which begin in the year 2000.
//
// Nothing here returns an error or takes a testing.TB, so that Examples can use
// it; what fails, a full disk at most, panics.
package testca
