// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/tls"
	"strings"
	"testing"

	"github.com/rollcall-rpc/rollcall"
	"github.com/rollcall-rpc/rollcall/internal/testca"
	"github.com/rollcall-rpc/rollcall/internal/tlsfront"
	"github.com/rollcall-rpc/rollcall/tlsfiles"
	"github.com/rollcall-rpc/rollcall/zk/zktest"
)

// A pki is an authority with the files of a server on loopback and of a client.
type pki struct {
	dir                                       string
	ca, serverCert, serverKey, cert, key, mix string
}

func newPKI(t *testing.T) *pki {
	t.Helper()
	p := &pki{dir: t.TempDir()}
	ca := testca.New("services")
	p.ca = ca.Write(p.dir, "ca")
	p.serverCert, p.serverKey = ca.Issue(testca.Leaf{Names: []string{loopback, "divide.test"}}).Write(p.dir, "server")
	p.cert, p.key = ca.Issue(testca.Leaf{CommonName: "ann"}).Write(p.dir, "client")
	p.mix = testca.New("strangers").Write(p.dir, "strangers")
	return p
}

// server is the configuration of a server that asks for certificates.
func (p *pki) server(t *testing.T) *tls.Config {
	t.Helper()
	config, err := tlsfiles.Files{CA: p.ca, Cert: p.serverCert, Key: p.serverKey}.Server()
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// mutual are the flags of a client that such a server lets in.
func (p *pki) mutual() []string {
	return []string{"--tls-ca", p.ca, "--tls-cert", p.cert, "--tls-key", p.key}
}

func TestCallTLS(t *testing.T) {
	p := newPKI(t)
	one := serve(t, rollcall.ServerOptions{TLS: p.server(t)})
	target := "static://" + one.addr
	call := []string{"call", target, divideMethod.Name}
	const reply = "{\"value\":0}\n"

	command(t, append(call, p.mutual()...)...).check(t, statusOK, []string{reply}, nil)
	command(t, append(call, append(p.mutual(), "--tls-name", "divide.test")...)...).check(t, statusOK, []string{reply}, nil)
	command(t, call...).check(t, statusFailure, nil, []string{"Unavailable", "not executed"})
	command(t, append(call, "--tls")...).check(t, statusFailure, nil, []string{"x509: "})
	command(t, append(call, append(p.mutual(), "--tls-name", "other.test")...)...).check(t, statusFailure, nil, []string{"other.test"})
	command(t, append(call, "--tls-ca", p.ca)...).check(t, statusFailure, nil, []string{"certificate"})
	command(t, append(call, "--tls-ca", p.mix)...).check(t, statusFailure, nil, []string{"unknown authority"})

	// What holds for a shell needs no flags, and a flag goes before its variable.
	t.Setenv("ROLLCALL_TLS_CA", p.ca)
	t.Setenv("ROLLCALL_TLS_CERT", p.cert)
	t.Setenv("ROLLCALL_TLS_KEY", p.key)
	command(t, call...).check(t, statusOK, []string{reply}, nil)
	command(t, append(call, "--tls-ca", p.mix)...).check(t, statusFailure, nil, []string{"unknown authority"})
	command(t, append(call, "--tls=false")...).check(t, statusFailure, nil, []string{"closed by the peer"})
	t.Setenv("ROLLCALL_TLS_NAME", "other.test")
	command(t, call...).check(t, statusFailure, nil, []string{"other.test"})
	t.Setenv("ROLLCALL_TLS_NAME", "divide.test")
	command(t, call...).check(t, statusOK, []string{reply}, nil)
}

// A fleet on its way: the entry says who serves TLS, and the command follows it
// only where it is told to.
func TestCallAllowPlaintext(t *testing.T) {
	p := newPKI(t)
	target := zktest.Start(t).Target("/rpc")
	plain := serve(t, rollcall.ServerOptions{Registry: target, ID: "plain"})
	both := serve(t, rollcall.ServerOptions{Registry: target, ID: "both", TLS: p.server(t), AllowPlaintext: true})
	call := append([]string{"call", target, divideMethod.Name}, p.mutual()...)
	for _, s := range []server{plain, both} {
		command(t, append(call, "--instance", s.addr, "--tls-allow-plaintext")...).check(t, statusOK, nil, nil)
	}
	command(t, append(call, "--instance", both.addr)...).check(t, statusOK, nil, nil)
	command(t, append(call, "--instance", plain.addr)...).check(t, statusFailure, nil, []string{"TLS"})

	got := command(t, "ls", target, "-o", "json")
	got.check(t, statusOK, []string{`"tls": true`, `"tls": false`}, nil)
}

// What the flags and variables of TLS refuse, with status 2, before anybody is asked.
func TestTLSUsage(t *testing.T) {
	p := newPKI(t)
	none := p.dir + "/none"
	const registry = "zk://127.0.0.1:1/rpc"
	for _, tt := range []struct {
		name, env string // NAME=VALUE
		args      []string
		want      string
	}{
		{"no such file", "", []string{"call", nobody, "M", "--tls-ca", none}, `--tls-ca "` + none + `": no such file or directory: name a PEM file`},
		{"no such file of the environment", "ROLLCALL_TLS_CA=" + none, []string{"call", nobody, "M"}, `ROLLCALL_TLS_CA "` + none + `": no such file`},
		{"another kind of file", "", []string{"call", nobody, "M", "--tls-ca", p.key}, `--tls-ca "` + p.key + `": no certificate in it`},
		{"no key", "", []string{"call", nobody, "M", "--tls-cert", p.cert}, `--tls-key is missing beside --tls-cert "` + p.cert + `": name the PEM file`},
		{"no certificate", "ROLLCALL_TLS_KEY=" + p.key, []string{"call", nobody, "M"}, `--tls-cert is missing beside ROLLCALL_TLS_KEY "` + p.key},
		{"another key", "", []string{"call", nobody, "M", "--tls-cert", p.cert, "--tls-key", p.serverKey}, `--tls-key "` + p.serverKey + `": no use with`},
		{"plaintext alone", "", []string{"call", nobody, "M", "--tls-allow-plaintext"}, "--tls-allow-plaintext without TLS: give"},
		{"plaintext of a static target", "", []string{"call", nobody, "M", "--tls", "--tls-allow-plaintext"}, `--tls-allow-plaintext: target "` + nobody + `" has no list`},
		{"registry in clear text", "", []string{"call", registry, "M", "--registry-tls-ca", p.ca}, `--registry-tls-ca "` + p.ca + `": target "` + registry + `" is in clear text: write zks://`},
		{"list in clear text", "", []string{"ls", registry, "--tls-ca", p.ca}, `--tls-ca "` + p.ca + `": target "` + registry + `" is in clear text`},
		{"no registry", "", []string{"ls", nobody, "--tls-ca", p.ca}, `has no registry to speak TLS with`},
		{"registry's key", "", []string{"ls", "zks://127.0.0.1:1/rpc", "--registry-tls-cert", p.cert}, "--registry-tls-key is missing beside --registry-tls-cert"},
		{"registry's authority", "ROLLCALL_REGISTRY_TLS_CA=" + none, []string{"zk", "ls", "zks://127.0.0.1:1/"}, `ROLLCALL_REGISTRY_TLS_CA "` + none},
		{"orders", "", []string{"drain", "zks://127.0.0.1:1/rpc", "x", "--tls-ca", none}, `--tls-ca "` + none},
		{"server without certificate", "", []string{"bench", "serve", "--tls-ca", p.ca}, "without a certificate of the server: give --tls-cert and --tls-key"},
		{"server of both without TLS", "", []string{"bench", "serve", "--tls-allow-plaintext"}, "--tls-allow-plaintext without TLS: give --tls-cert"},
		{"server's files", "", []string{"bench", "serve", "--tls-cert", none, "--tls-key", p.key}, `--tls-cert "` + none},
		{"chaos", "", []string{"chaos", "--registry", "zks://127.0.0.1:1/rpc"}, `--registry "zks://127.0.0.1:1/rpc": chaos speaks clear text`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if name, value, ok := strings.Cut(tt.env, "="); ok {
				t.Setenv(name, value)
			}
			command(t, tt.args...).check(t, statusUsage, nil, []string{tt.want})
		})
	}
}

// A target at zks:// is never spoken to in clear text, by no command, and every one
// takes the files of the calls for it unless others are given.
func TestRegistryTLS(t *testing.T) {
	p, q := newPKI(t), newPKI(t)
	plain := zktest.Start(t)
	target := "zks://" + tlsfront.Start(t, plain.Addr(), p.server(t)).Addr() + "/rpc"
	one := serve(t, rollcall.ServerOptions{Registry: plain.Target("/rpc"), ID: "one", TLS: q.server(t)})
	another := serve(t, rollcall.ServerOptions{Registry: plain.Target("/rpc"), ID: "two", TLS: q.server(t)})
	asks := [][]string{
		{"ls", target},
		{"zk", "ls", strings.TrimSuffix(target, "/rpc")},
		{"drain", target, one.addr},
		{"weight", target, one.addr, "7"},
		{"undrain", target, one.addr},
	}
	for _, args := range asks {
		command(t, append(args, p.mutual()...)...).check(t, statusOK, nil, nil)
		own := append(args, "--registry-tls-ca", p.ca, "--registry-tls-cert", p.cert, "--registry-tls-key", p.key)
		command(t, append(own, "--tls-ca", p.mix, "--registry-tls-name", "divide.test")...).check(t, statusOK, nil, nil)
		command(t, append(args, "--timeout", "500ms")...).check(t, statusFailure, nil, []string{"x509: "})
		command(t, append(args, append(p.mutual(), "--registry-tls-name", "other.test", "--timeout", "500ms")...)...).check(t, statusFailure, nil, []string{"other.test"})
	}
	tls := "zks://" + plain.Addr() + "/rpc"
	command(t, append([]string{"ls", tls, "--timeout", "500ms"}, p.mutual()...)...).check(t, statusFailure, nil, []string{"did not answer"})

	// The instances have another authority than the registry.
	call := []string{
		"call", target, divideMethod.Name, "--registry-tls-ca", p.ca, "--registry-tls-cert", p.cert, "--registry-tls-key", p.key,
		"--instance", another.addr,
	}
	command(t, append(call, q.mutual()...)...).check(t, statusOK, []string{`{"value":0}`}, nil)
	command(t, append(call, p.mutual()...)...).check(t, statusFailure, nil, []string{"unknown authority"})

	// The environment names the registry of a /PATH.
	t.Setenv(environmentTarget, target)
	command(t, append([]string{"zk", "stat", "/rpc"}, p.mutual()...)...).check(t, statusOK, nil, nil)
	command(t, "zk", "stat", "/rpc", "--timeout", "500ms").check(t, statusFailure, nil, []string{"x509: "})
}

// A server that the command runs speaks TLS, with the registry too.
func TestBenchTLS(t *testing.T) {
	p := newPKI(t)
	registry := zktest.Start(t)
	target := "zks://" + tlsfront.Start(t, registry.Addr(), p.server(t)).Addr() + "/bench"
	serve := begin(t, "bench", "serve", "--listen", loopback+":0", "--registry", target, "--tls-ca", p.ca, "--tls-cert", p.serverCert, "--tls-key", p.serverKey)
	addr := strings.TrimPrefix(line(t, serve.stdout), "serving on ")
	load := []string{"--duration", "20ms", "--warmup", "0s", "--callers", "2"}
	command(t, append(append([]string{"bench", "run", target}, load...), p.mutual()...)...).check(t, statusOK, []string{"errors"}, nil)
	command(t, append([]string{"ls", target, "-o", "json"}, p.mutual()...)...).check(t, statusOK, []string{`"tls": true`, `"address": "` + addr}, nil)
	serve.stop()
	if got := serve.status(); got != statusOK {
		t.Errorf("exit status %d", got)
	}
}
