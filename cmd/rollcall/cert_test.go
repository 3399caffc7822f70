// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-rpc/rollcall/auth"
)

// issueAll makes an authority and what the arguments say, in a new directory.
func issueAll(t *testing.T, lines ...string) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "made", "by")
	for _, line := range append([]string{"ca"}, lines...) {
		command(t, append(append([]string{"cert"}, strings.Fields(line)...), "--dir", dir)...).check(t, statusOK, []string{dir, "until 20"}, nil)
	}
	return dir
}

func loadPair(t *testing.T, dir, name string) *x509.Certificate {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key"))
	if err != nil {
		t.Fatal(err)
	}
	return pair.Leaf
}

// Certificates are good for what they were made for, and for nothing else; the keys
// are their owner's.
func TestCert(t *testing.T) {
	dir := issueAll(t, "server 127.0.0.1 ::1 localhost *.divide.test --name one", "client billing", "client spiffe://test/shop/billing --name shop")
	roots := x509.NewCertPool()
	roots.AddCert(loadPair(t, dir, "ca"))
	good := func(cert *x509.Certificate, usage x509.ExtKeyUsage, name string) bool {
		_, err := cert.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{usage}, DNSName: name})
		return err == nil
	}
	one, billing, shop := loadPair(t, dir, "one"), loadPair(t, dir, "client"), loadPair(t, dir, "shop")
	for _, host := range []string{"127.0.0.1", "::1", "localhost", "a.divide.test"} {
		if !good(one, x509.ExtKeyUsageServerAuth, host) {
			t.Errorf("the server's certificate is not good for %s", host)
		}
	}
	if good(one, x509.ExtKeyUsageServerAuth, "divide.test") || good(one, x509.ExtKeyUsageClientAuth, "") || good(billing, x509.ExtKeyUsageServerAuth, "") {
		t.Error("a certificate is good for what it was not made for")
	}
	for want, cert := range map[string]*x509.Certificate{"billing": billing, "spiffe://test/shop/billing": shop} {
		if got := auth.CertificateIdentity(cert); !good(cert, x509.ExtKeyUsageClientAuth, "") || got != want {
			t.Errorf("the client is %q, want %q", got, want)
		}
	}
	if left := time.Until(one.NotAfter); left < 29*24*time.Hour || left > 30*24*time.Hour {
		t.Errorf("the certificate is valid for %v", left)
	}
	for name, want := range map[string]os.FileMode{"ca.key": 0o600, "ca.crt": 0o644, "one.key": 0o600, "one.crt": 0o644} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: mode %v, %v, want %v", name, info.Mode(), err, want)
		}
	}
}

// contents are those of a directory's files, by name.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, e := range entries {
		content, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all[e.Name()] = string(content)
	}
	return all
}

// What is there is left alone, also where it is but half of a pair or a link to
// nothing; --force replaces it, and nothing but it.
func TestCertReplacesNothing(t *testing.T) {
	dir := issueAll(t, "client billing")
	before := contents(t, dir)
	for _, args := range [][]string{{"ca"}, {"client", "billing"}} {
		args = append(append([]string{"cert"}, args...), "--dir", dir)
		command(t, args...).check(t, statusFailure, nil, []string{".key is there already", "--force"})
	}
	if err := os.Symlink(filepath.Join(dir, "nothing"), filepath.Join(dir, "half.crt")); err != nil {
		t.Fatal(err)
	}
	command(t, "cert", "client", "billing", "--dir", dir, "--name", "half").check(t, statusFailure, nil, []string{"half.crt is there already"})
	if err := os.Remove(filepath.Join(dir, "half.crt")); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, contents(t, dir)); diff != "" {
		t.Errorf("files have changed:\n%s", diff)
	}
	command(t, "cert", "client", "shop", "--dir", dir, "--force").check(t, statusOK, []string{"shop"}, nil)
	after := contents(t, dir)
	if got := auth.CertificateIdentity(loadPair(t, dir, "client")); got != "shop" || after["client.key"] == before["client.key"] {
		t.Errorf("the client is still %q, or has its old key", got)
	}
	if len(after) != len(before) || after["ca.key"] != before["ca.key"] || after["ca.crt"] != before["ca.crt"] {
		t.Errorf("the authority has changed, or something is left: %d files, before %d", len(after), len(before))
	}
	if info, err := os.Stat(filepath.Join(dir, "client.key")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key that is replaced has mode %v, %v", info.Mode(), err)
	}
}

// A certificate does not outlive its authority, and an authority issues no other.
func TestCertLife(t *testing.T) {
	dir := issueAll(t)
	command(t, "cert", "ca", "--dir", dir, "--force", "--valid", "2h").check(t, statusOK, nil, nil)
	command(t, "cert", "server", "h", "--dir", dir).check(t, statusOK, nil, nil)
	ca, server := loadPair(t, dir, "ca"), loadPair(t, dir, "server")
	if !server.NotAfter.Equal(ca.NotAfter) {
		t.Errorf("the server's ends at %v, the authority's at %v", server.NotAfter, ca.NotAfter)
	}
	if ca.MaxPathLen != 0 || !ca.MaxPathLenZero || server.IsCA {
		t.Error("further authorities can be issued")
	}
	ended := &issued{cert: &x509.Certificate{NotAfter: time.Now().Add(-time.Second)}}
	if _, err := ended.issue(new(x509.Certificate)); err == nil || !strings.Contains(err.Error(), "has ended") {
		t.Errorf("an authority that has ended issues: %v", err)
	}
}

// Bad input is named, with the fix, and nothing is written.
func TestCertRefuses(t *testing.T) {
	empty, dir := t.TempDir(), issueAll(t, "server h")
	if err := os.Rename(filepath.Join(dir, "server.crt"), filepath.Join(dir, "ca.crt")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, "server.key"), filepath.Join(dir, "ca.key")); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args   []string
		status int
		says   string
	}{
		{[]string{"client", "billing", "--dir", empty}, statusFailure, `make an authority with "rollcall cert ca --dir ` + empty + `"`},
		{[]string{"client", "billing", "--dir", dir}, statusFailure, "ca.crt is the certificate of no authority"},
		{[]string{"server", "h:80"}, statusUsage, `HOST "h:80": give a DNS name`},
		{[]string{"server", "ok", "a..b"}, statusUsage, `HOST "a..b"`},
		{[]string{"server", "a.*.b"}, statusUsage, `HOST "a.*.b"`},
		{[]string{"client", ""}, statusUsage, `IDENTITY "": give a name`},
		{[]string{"client", "a\nb"}, statusUsage, `IDENTITY "a\nb": give a name`},
		{[]string{"client", strings.Repeat("x", 65)}, statusUsage, "of 1 to 64 characters"},
		{[]string{"client", "://x"}, statusUsage, `IDENTITY "://x": give a URI`},
		{[]string{"client", "billing", "--name", "../x"}, statusUsage, `--name "../x": give the name of a file`},
	} {
		args := append([]string{"cert"}, tt.args...)
		if tt.status == statusUsage {
			args = append(args, "--dir", empty)
		}
		command(t, args...).check(t, tt.status, nil, []string{tt.says})
	}
	if left := contents(t, empty); len(left) > 0 {
		t.Errorf("something was written: %d files", len(left))
	}
}

// What openssl makes of the files, where it is there.
func TestCertForOpenSSL(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("no openssl")
	}
	dir := issueAll(t, "server localhost")
	cmd := exec.CommandContext(t.Context(), "openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", "ca.crt", "server.crt")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
