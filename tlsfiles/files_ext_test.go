// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package tlsfiles_test

import (
	"bytes"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-rpc/rollcall/internal/testca"
	"github.com/rollcall-rpc/rollcall/tlsfiles"
)

// TestErrors has files that cannot be used. Each error names the field and the file,
// and says what is wrong and what to do.
func TestErrors(t *testing.T) {
	ca := testca.New("root")
	pair, other := ca.Issue(named(host)), ca.Issue(named(host))
	block, _ := pem.Decode(pair.KeyPEM)
	damaged := bytes.Replace(ca.PEM(), []byte("\nM"), []byte("\n!"), 1)
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	for name, content := range map[string][]byte{
		"cert":      pair.CertPEM,
		"key":       pair.KeyPEM,
		"ca":        ca.PEM(),
		"other-key": other.KeyPEM,
		"empty":     nil,
		"der":       pair.Cert.Raw,
		"encrypted": pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: block.Bytes}),
		"old-style": pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Headers: map[string]string{"DEK-Info": "AES"}, Bytes: block.Bytes}),
		"no-key":    pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("no key")}),
		"no-cert":   pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("no certificate")}),
		"damaged":   damaged,
		"cut-2":     slices.Concat(ca.PEM(), ca.PEM()[:100]),
		"cut-begin": slices.Concat(ca.PEM(), []byte("-----BEG")),
		"cut-dash":  slices.Concat(ca.PEM(), []byte("-")),
		"cut-end":   ca.PEM()[:len(ca.PEM())-3],
	} {
		testca.WriteFile(path(name), content)
	}
	for _, c := range []struct {
		cert, key, ca string
		want          []string // a file's name in it has an @ before it
	}{
		{"", "key", "", []string{"Cert is empty", "@key", "name the PEM file"}},
		{"cert", "", "", []string{"Key is empty", "@cert", "name the PEM file", "named twice"}},
		{"missing", "key", "", []string{`Cert "@missing"`, "no such file", "may read"}},
		{"cert", "missing", "", []string{`Key "@missing"`, "no such file", "may read"}},
		{"cert", "key", "missing", []string{`CA "@missing"`, "no such file", "may read"}},
		{"cert", "key", ".", []string{`CA "@."`, "not a regular file", "may read"}},
		{"empty", "key", "", []string{`Cert "@empty"`, "no certificate in it", "must be PEM"}},
		{"der", "key", "", []string{`Cert "@der"`, "no certificate in it", "-inform der"}},
		{"key", "cert", "", []string{`Cert "@key"`, `no certificate in it but "PRIVATE KEY"`, "BEGIN CERTIFICATE"}},
		{"no-cert", "key", "", []string{`Cert "@no-cert"`, "certificate 1 in it: x509: malformed", "write it anew"}},
		{"cert", "empty", "", []string{`Key "@empty"`, "no key in it", "must be PEM"}},
		{"cert", "cert", "", []string{`Key "@cert"`, `no key in it but "CERTIFICATE"`, "BEGIN PRIVATE KEY"}},
		{"cert", "encrypted", "", []string{`Key "@encrypted"`, "encrypted", "openssl pkey"}},
		{"cert", "old-style", "", []string{`Key "@old-style"`, "encrypted", "openssl pkey"}},
		{"cert", "no-key", "", []string{`Key "@no-key"`, "failed to parse private key"}},
		{"cert", "other-key", "", []string{`Key "@other-key"`, `Cert "@cert"`, "does not match", "name the key"}},
		{"cert", "key", "empty", []string{`CA "@empty"`, "no certificate in it"}},
		{"cert", "key", "key", []string{`CA "@key"`, `no certificate in it but "PRIVATE KEY"`}},
		{"cert", "key", "damaged", []string{`CA "@damaged"`, "cut short or damaged", "rename"}},
		{"cert", "key", "cut-2", []string{`CA "@cut-2"`, "cut short or damaged"}},
		{"cert", "key", "cut-begin", []string{`CA "@cut-begin"`, "cut short or damaged"}},
		{"cert", "key", "cut-dash", []string{`CA "@cut-dash"`, "cut short or damaged"}},
		{"cert", "key", "cut-end", []string{`CA "@cut-end"`, "cut short or damaged"}},
	} {
		var f tlsfiles.Files
		for field, name := range map[*string]string{&f.Cert: c.cert, &f.Key: c.key, &f.CA: c.ca} {
			if name != "" {
				*field = dir + "/" + name
			}
		}
		for side, open := range map[string]func() (*tls.Config, error){"Server": f.Server, "Client": f.Client} {
			config, err := open()
			if err == nil || config != nil {
				t.Errorf("%s of %q: no error", side, []string{c.cert, c.key, c.ca})
				continue
			}
			for _, want := range c.want {
				if want = strings.Replace(want, "@", dir+"/", 1); !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "tlsfiles: ") {
					t.Errorf("%s: %q, want it to have %q", side, err, want)
				}
			}
		}
	}
	if _, err := (tlsfiles.Files{}).Server(); err == nil || !strings.Contains(err.Error(), "Cert is empty: a server needs") {
		t.Errorf("a server without a certificate: %v", err)
	}
	if _, err := (tlsfiles.Files{CA: path("missing")}).Client(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v is not fs.ErrNotExist", err)
	}
}

// TestGoodFiles has files that look unusual and are good.
func TestGoodFiles(t *testing.T) {
	ca := testca.New("root")
	pair := ca.Issue(named(host))
	dir := t.TempDir()
	for name, content := range map[string][]byte{
		"key after certificate":   slices.Concat(pair.CertPEM, pair.KeyPEM),
		"certificate after key":   slices.Concat(pair.KeyPEM, pair.CertPEM),
		"text around":             slices.Concat([]byte("subject=a - b\n--\n"), pair.CertPEM, []byte("\n# -- and the key\n"), pair.KeyPEM, []byte("\nend\n")),
		"no newline at the end":   bytes.TrimSpace(slices.Concat(pair.CertPEM, pair.KeyPEM)),
		"lines end as on a PC":    bytes.ReplaceAll(slices.Concat(pair.CertPEM, pair.KeyPEM), []byte("\n"), []byte("\r\n")),
		"authority in it as well": slices.Concat(pair.CertPEM, ca.PEM(), pair.KeyPEM),
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(dir, "both")
			testca.WriteFile(file, content)
			mustConnect(t, serverOf(t, tlsfiles.Files{Cert: file, Key: file}), plainClient(ca))
		})
	}
}

// TestNextProtos holds that a protocol set on a clone is spoken: net/http does that
// for HTTP/2.
func TestNextProtos(t *testing.T) {
	ca := testca.New("root")
	f, _ := files(t, ca, named(host, "127.0.0.1"))
	server, client := serverOf(t, f).Clone(), tlsfiles.ForHost(clientOf(t, f), host)
	server.NextProtos = []string{"rollcall", "h2"}
	client.NextProtos = []string{"h2", "other"}
	if got := mustConnect(t, server, client).client.ConnectionState().NegotiatedProtocol; got != "h2" {
		t.Errorf("protocol %q, want h2", got)
	}

	web := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Peer", r.TLS.PeerCertificates[0].DNSNames[0])
	}))
	web.TLS, web.EnableHTTP2 = serverOf(t, f), true
	web.StartTLS()
	defer web.Close()
	transport := &http.Transport{TLSClientConfig: tlsfiles.ForHost(clientOf(t, f), host), ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	reply, err := (&http.Client{Transport: transport}).Get(web.URL)
	if err != nil {
		t.Fatal(err)
	}
	reply.Body.Close()
	if reply.ProtoMajor != 2 || reply.Header.Get("Peer") != host {
		t.Errorf("HTTP %d from %q, want HTTP 2 from %q", reply.ProtoMajor, reply.Header.Get("Peer"), host)
	}
}

// TestTogether has handshakes at the same time as the files change.
func TestTogether(t *testing.T) {
	ca := testca.New("root")
	f, log := files(t, ca, named(host))
	f.ServerName, f.Every = host, 1
	server, client := serverOf(t, f), clientOf(t, f)
	done := make(chan struct{})
	for range 3 {
		go func() {
			defer func() { done <- struct{}{} }()
			for range 20 {
				if _, err := connect(t, server, client); err != nil {
					t.Errorf("while the files change: %v", err)
				}
			}
		}()
	}
	for range 20 {
		rotate(f, ca, named(host))
	}
	for range 3 {
		<-done
	}
	log.take()
}
