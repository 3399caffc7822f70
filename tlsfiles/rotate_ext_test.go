// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package tlsfiles_test

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-rpc/rollcall/internal/testca"
	"github.com/rollcall-rpc/rollcall/tlsfiles"
)

// TestRotateCertificate renews the certificates of both sides.
func TestRotateCertificate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := testca.New("root")
		f, log := files(t, ca, named(host))
		f.ServerName = host
		server, client := serverOf(t, f), clientOf(t, f)
		old := mustConnect(t, server, client)
		renewed := rotate(f, ca, testca.Leaf{Names: []string{host}, NotAfter: time.Now().Add(time.Hour)})

		time.Sleep(time.Second - 1)
		if l := mustConnect(t, server, client); l.serial() != old.serial() {
			t.Error("the files were looked at before their time")
		}
		time.Sleep(time.Nanosecond)
		l := mustConnect(t, server, client)
		if got, want := l.serial(), renewed.Cert.SerialNumber.String(); got != want {
			t.Errorf("the server shows certificate %s, want the new one, %s", got, want)
		}
		if got := l.server.ConnectionState().PeerCertificates[0].SerialNumber.String(); got != l.serial() {
			t.Errorf("the client shows certificate %s, want the new one, %s", got, l.serial())
		}
		line := []string{"level=INFO", "have changed", f.Cert, f.Key, host, "valid_until=2000-01-01T01:00:00"}
		log.want(t, line, line) // one of each side
		if err := old.echo(); err != nil {
			t.Errorf("the old connection: %v", err)
		}
	})
}

// TestRotateLink rotates as Kubernetes does: the names are links into a directory
// that a link names, which is renamed over.
func TestRotateLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		ca := testca.New("root")
		var serials []string
		for _, version := range []string{"..v1", "..v2"} {
			must(t, os.Mkdir(filepath.Join(dir, version), 0o700))
			pair := ca.Issue(named(host))
			pair.Write(filepath.Join(dir, version), "tls")
			serials = append(serials, pair.Cert.SerialNumber.String())
		}
		data := filepath.Join(dir, "..data")
		must(t, os.Symlink("..v1", data))
		f := tlsfiles.Files{Cert: filepath.Join(dir, "tls.crt"), Key: filepath.Join(dir, "tls.key")}
		must(t, os.Symlink("..data/tls.crt", f.Cert))
		must(t, os.Symlink("..data/tls.key", f.Key))
		log := &log{}
		f.Logger = log.logger()
		server := serverOf(t, f)
		got := []string{mustConnect(t, server, plainClient(ca)).serial()}
		must(t, os.Symlink("..v2", data+"_tmp"))
		must(t, os.Rename(data+"_tmp", data))
		time.Sleep(time.Second)
		got = append(got, mustConnect(t, server, plainClient(ca)).serial())
		if !slices.Equal(got, serials) {
			t.Errorf("certificates %q, want %q", got, serials)
		}
		log.want(t, []string{"have changed"})
	})
}

// TestBroken holds that what cannot be used leaves the old pair in use, is told once
// per change, and that key and certificate change together.
func TestBroken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := testca.New("root")
		f, log := files(t, ca, testca.Leaf{Names: []string{host}, NotAfter: time.Now().Add(time.Hour)})
		f.CA = ""
		server := serverOf(t, f)
		serial := mustConnect(t, server, plainClient(ca)).serial()
		between := ca.Intermediate("between")
		next := between.Issue(named(host))
		half := len(next.CertPEM) * 3 / 4 // in the second of two certificates

		for _, step := range []struct {
			what   string
			change func() error
			reason string
		}{
			{"half a certificate", func() error { return os.WriteFile(f.Cert, next.CertPEM[:half], 0o600) }, "cut short"},
			{"nothing", func() error { return os.Truncate(f.Cert, 0) }, "no certificate in it"},
			{"certificate without its key", func() error { return os.WriteFile(f.Cert, next.CertPEM, 0o600) }, "private key does not match public key"},
			{"key gone", func() error { return os.Remove(f.Key) }, "no such file"},
			{"half a key", func() error { return os.WriteFile(f.Key, next.KeyPEM[:100], 0o600) }, "cut short"},
		} {
			must(t, step.change())
			for range 3 {
				time.Sleep(time.Second)
				if got := mustConnect(t, server, plainClient(ca)).serial(); got != serial {
					t.Fatalf("%s: certificate %s, want the old one, %s", step.what, got, serial)
				}
			}
			log.want(t, []string{"level=WARN", "stays in use", step.reason, f.Cert, "in_use=", host, "valid_until=2000-01-01T01:00:00"})
		}
		must(t, os.WriteFile(f.Key, next.KeyPEM, 0o600))
		time.Sleep(time.Second)
		if got, want := mustConnect(t, server, plainClient(ca)).serial(), next.Cert.SerialNumber.String(); got != want {
			t.Errorf("certificate %s, want the new one, %s", got, want)
		}
		log.want(t, []string{"level=INFO", "have changed"})
	})
}

// TestRotateAuthorityOfClients goes from one authority of clients to another by way
// of both.
func TestRotateAuthorityOfClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := testca.New("first"), testca.New("second")
		f, log := files(t, first, named(host))
		server := serverOf(t, f)
		one := plainClient(first, first.Issue(named("one.test")))
		two := plainClient(first, second.Issue(named("two.test")))
		old := mustConnect(t, server, one)
		refused(t, server, two, "unknown authority")

		testca.WriteFile(f.CA, slices.Concat(first.PEM(), second.PEM()))
		time.Sleep(time.Second)
		mustConnect(t, server, one)
		mustConnect(t, server, two)
		log.want(t, []string{"have changed", f.CA, "CN=first", "and 1 more"})

		testca.WriteFile(f.CA, second.PEM()[:200])
		time.Sleep(time.Second)
		mustConnect(t, server, one)
		mustConnect(t, server, two)
		log.want(t, []string{"level=WARN", "stays in use", f.CA, "cut short"})

		testca.WriteFile(f.CA, second.PEM())
		time.Sleep(time.Second)
		refused(t, server, one, "unknown authority")
		mustConnect(t, server, two)
		if err := old.echo(); err != nil {
			t.Errorf("the old connection: %v", err)
		}
	})
}

// TestRotateAuthorityOfServers is the same for a client, and for clones that were
// made before.
func TestRotateAuthorityOfServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := testca.New("first"), testca.New("second")
		f, _ := files(t, first, named("me.test"))
		client := tlsfiles.ForHost(clientOf(t, f), host)
		one, two := plainServer(first.Issue(named(host))), plainServer(second.Issue(named(host)))
		old := mustConnect(t, one, client)
		refused(t, two, client, "unknown authority")

		testca.WriteFile(f.CA, second.PEM())
		time.Sleep(time.Second)
		mustConnect(t, two, client)
		refused(t, one, client, "unknown authority")
		if err := old.echo(); err != nil {
			t.Errorf("the old connection: %v", err)
		}
	})
}

// TestResumedByClient holds that a session from before a rotation does not let a
// client trust an authority that is gone.
func TestResumedByClient(t *testing.T) {
	for version := uint16(tls.VersionTLS12); version <= tls.VersionTLS13; version++ {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				first, second := testca.New("first"), testca.New("second")
				f, _ := files(t, first, named("me.test"))
				client := tlsfiles.ForHost(clientOf(t, f), host)
				client.ClientSessionCache = tls.NewLRUClientSessionCache(10)
				server := plainServer(first.Issue(named(host)))
				server.MaxVersion = version
				mustConnect(t, server, client)
				if !mustConnect(t, server, client).client.ConnectionState().DidResume {
					t.Fatal("no session was resumed: the test shows nothing")
				}
				testca.WriteFile(f.CA, second.PEM())
				time.Sleep(time.Second)
				refused(t, server, client, "unknown authority")
			})
		})
	}
}

// TestResumedAtServer holds that a client resumes no session at a server that asks
// for certificates, and that one from before a rotation would be refused where
// somebody turned the tickets on.
func TestResumedAtServer(t *testing.T) {
	for version := uint16(tls.VersionTLS12); version <= tls.VersionTLS13; version++ {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				first, second := testca.New("first"), testca.New("second")
				f, _ := files(t, first, named(host))
				server := serverOf(t, f)
				client := plainClient(first, first.Issue(named("me.test")))
				client.MaxVersion = version
				client.ClientSessionCache = tls.NewLRUClientSessionCache(10)
				mustConnect(t, server, client)
				if mustConnect(t, server, client).client.ConnectionState().DidResume {
					t.Error("a session was resumed")
				}

				server = server.Clone()
				server.SessionTicketsDisabled = false
				mustConnect(t, server, client)
				if !mustConnect(t, server, client).client.ConnectionState().DidResume {
					t.Fatal("no session was resumed: the test shows nothing")
				}
				testca.WriteFile(f.CA, second.PEM())
				time.Sleep(time.Second)
				refused(t, server, client, "unknown authority")
			})
		})
	}
}

// TestExpires holds that a certificate that has expired is told once and used on,
// and that its time is told when it comes while the process runs.
func TestExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := testca.New("root")
		// The authority beside it in the file is valid for longer.
		f, log := files(t, ca.Intermediate("between"), testca.Leaf{Names: []string{host}, NotAfter: time.Now().Add(time.Hour)})
		f.CA = ""
		server := serverOf(t, f)
		for range 2 {
			mustConnect(t, server, plainClient(ca))
		}
		log.want(t)
		expired := []string{"level=WARN", "expired", f.Cert, host, "valid_until=2000-01-01T01:00:00"}
		time.Sleep(time.Hour + time.Second)
		for range 2 {
			refused(t, server, plainClient(ca), "expired")
		}
		log.want(t, expired)
		serverOf(t, f)
		log.want(t, expired)

		rotate(f, ca, testca.Leaf{Names: []string{host}, NotBefore: time.Now().Add(time.Hour)})
		time.Sleep(time.Second)
		refused(t, server, plainClient(ca), "not yet valid")
		log.want(t, []string{"level=INFO", "have changed"}, []string{"level=WARN", "not valid yet", "look at the clock"})

		rotate(f, ca, named(host))
		time.Sleep(time.Second)
		mustConnect(t, server, plainClient(ca))
		log.want(t, []string{"level=INFO", "have changed"})
	})
}

// TestExpiredAuthorities holds that a bundle with one authority that is valid is
// fine, and that one with none is told.
func TestExpiredAuthorities(t *testing.T) {
	ca := testca.New("root")
	f, log := files(t, ca, named("me.test"))
	expired := ca.Issue(testca.Leaf{CommonName: "past", NotAfter: time.Now().Add(-time.Hour)})
	testca.WriteFile(f.CA, slices.Concat(expired.CertPEM, ca.PEM()))
	clientOf(t, f)
	log.want(t)
	testca.WriteFile(f.CA, expired.CertPEM)
	clientOf(t, f)
	log.want(t, []string{"level=WARN", "expired", f.CA, "CN=past"})
}

// TestEvery holds the meaning of Every.
func TestEvery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := testca.New("root")
		f, _ := files(t, ca, named(host))
		f.CA = ""
		f.Every = time.Minute
		rarely := serverOf(t, f)
		f.Every = -1
		never := serverOf(t, f)
		serial := mustConnect(t, never, plainClient(ca)).serial()
		renewed := rotate(f, ca, named(host)).Cert.SerialNumber.String()
		for _, step := range []struct {
			after time.Duration
			want  string
		}{{time.Minute - 1, serial}, {1, renewed}} {
			time.Sleep(step.after)
			if got := mustConnect(t, rarely, plainClient(ca)).serial(); got != step.want {
				t.Errorf("certificate %s, want %s", got, step.want)
			}
			if got := mustConnect(t, never, plainClient(ca)).serial(); got != serial {
				t.Errorf("certificate %s where files are read once, want %s", got, serial)
			}
		}
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
