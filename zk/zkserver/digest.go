// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver

import (
	"crypto/sha1" //nolint:gosec // the protocol's digest
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"encoding/base64"
	"strings"
)

// A DigestAlgorithm is the hash in digest identities, by the name that it has in
// ZooKeeper's configuration; case does not matter. The empty one is SHA1.
type DigestAlgorithm string

// The algorithms that there are.
const (
	DigestSHA1    DigestAlgorithm = "SHA1"
	DigestSHA256  DigestAlgorithm = "SHA-256"
	DigestSHA512  DigestAlgorithm = "SHA-512"
	DigestSHA3256 DigestAlgorithm = "SHA3-256"
)

// digestNames are the algorithms for those who have to choose one.
const digestNames = "SHA1, SHA-256, SHA-512 or SHA3-256"

// digestSums has the algorithms by their names in capitals.
var digestSums = map[DigestAlgorithm]func([]byte) []byte{
	"":            sumSHA1,
	DigestSHA1:    sumSHA1,
	"SHA-1":       sumSHA1, // Java's other names
	"SHA":         sumSHA1,
	DigestSHA256:  func(b []byte) []byte { s := sha256.Sum256(b); return s[:] },
	DigestSHA512:  func(b []byte) []byte { s := sha512.Sum512(b); return s[:] },
	DigestSHA3256: func(b []byte) []byte { s := sha3.Sum256(b); return s[:] },
}

func sumSHA1(b []byte) []byte {
	s := sha1.Sum(b) //nolint:gosec // the protocol's digest
	return s[:]
}

// sum returns the hash function, or nil where there is no such algorithm.
func (a DigestAlgorithm) sum() func([]byte) []byte {
	return digestSums[DigestAlgorithm(strings.ToUpper(string(a)))]
}

// Digest returns the digest identity of "user:password", user:base64(hash(user:password)),
// as in an ACL entry and in [Options.SuperDigest]. It returns "" for an algorithm
// that there is not, which [New] does not accept. Source:
// DigestAuthenticationProvider.generateDigest.
func (a DigestAlgorithm) Digest(userPassword []byte) string {
	sum := a.sum()
	if sum == nil {
		return ""
	}
	user, _, _ := strings.Cut(string(userPassword), ":")
	return user + ":" + base64.StdEncoding.EncodeToString(sum(userPassword))
}

// Digest is [DigestAlgorithm.Digest] of SHA1, the algorithm of those who have chosen
// no other.
func Digest(userPassword []byte) string { return DigestSHA1.Digest(userPassword) }
