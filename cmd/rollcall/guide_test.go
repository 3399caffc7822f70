// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rollcall-rpc/rollcall"
)

// The guide's commands make certificates that servers and clients take.
func TestGuideMakesCertificates(t *testing.T) {
	guide, err := os.ReadFile("../../docs/guide/tls.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(guide), "## Certificates for tests")
	_, script, _ := strings.Cut(section, "```sh\n")
	script, _, found := strings.Cut(script, "```")
	if !found {
		t.Fatal("the guide has no commands")
	}
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := os.Symlink(executable, filepath.Join(bin, "rollcall")); err != nil {
		t.Fatal(err)
	}
	shell := exec.CommandContext(t.Context(), "sh", "-ec", script)
	shell.Env = append(os.Environ(), asCommand+"=1", "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	shell.Dir = t.TempDir()
	if out, err := shell.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	file := func(name string) string { return filepath.Join(shell.Dir, name) }
	p := &pki{ca: file("ca.crt"), serverCert: file("server.crt"), serverKey: file("server.key"), cert: file("client.crt"), key: file("client.key")}
	one := serve(t, rollcall.ServerOptions{TLS: p.server(t)})
	command(t, append([]string{"call", "static://" + one.addr, divideMethod.Name}, p.mutual()...)...).check(t, statusOK, []string{`{"value":0}`}, nil)
	command(t, "call", "static://"+one.addr, divideMethod.Name, "--tls-ca", p.ca).check(t, statusFailure, nil, []string{"certificate"})
}
