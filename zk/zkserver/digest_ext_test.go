// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver_test

import (
	"testing"

	"github.com/rollcall-rpc/rollcall/zk/zkserver"
)

// The digests of one password, by the names that ZooKeeper has for the algorithms.
func TestDigest(t *testing.T) {
	const (
		sha1   = "super:lK75jTNcA+U9vtVEw5vB51mj/w4="
		sha512 = "super:YCUumaodxrQ8ju8rJ0IaMlm8XX/1KyZEsjkowYsnA9bsE7LNCzc8Manpy55Ds+mDeMOYNh9+komaD5MRpOIkHg=="
	)
	for algorithm, want := range map[zkserver.DigestAlgorithm]string{
		"": sha1, "SHA1": sha1, "sha-1": sha1, "SHA": sha1,
		"SHA-256":  "super:WTA5ucCHTdJq645xIMibj8HviTPeB5mMuJ4/+v1dIEw=",
		"SHA-512":  sha512,
		"sha3-256": "super:WC0fcBtN15KqFfwpcvg0TG3tZUPFtDZkMpN7SZ6bt4g=",
		"MD5":      "",
	} {
		if got := algorithm.Digest([]byte("super:secret")); got != want {
			t.Errorf("%q: got %s, want %s", algorithm, got, want)
		}
	}
	if got := zkserver.Digest([]byte("super:secret")); got != sha1 {
		t.Errorf("got %s, want %s", got, sha1)
	}
}
