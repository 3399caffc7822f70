// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zookeeper

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"testing"

	"github.com/rollcall-rpc/rollcall/discovery"
	"github.com/rollcall-rpc/rollcall/internal/testca"
	"github.com/rollcall-rpc/rollcall/internal/tlsfront"
)

// openTarget opens the session of a target's text.
func openTarget(t *testing.T, text string, opts Options) (*Session, discovery.Target) {
	t.Helper()
	target, err := discovery.ParseTarget(text)
	if err != nil {
		t.Fatal(err)
	}
	s, err := OpenTarget(target, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s, target
}

// TestTLS: the list and a registration over TLS, across a cut too.
func TestTLS(t *testing.T) {
	registries(t, func(t *testing.T, n neighbour) {
		ca := testca.New("registry")
		leaf := ca.Issue(testca.Leaf{Names: []string{"127.0.0.1"}}).TLS()
		front := tlsfront.Start(t, n.Addr(), &tls.Config{Certificates: []tls.Certificate{leaf}})
		opts := Options{TLS: &tls.Config{RootCAs: ca.Pool()}}
		s, target := openTarget(t, "zks://"+front.Addr()+"/a/rpc", opts)
		again, _ := openTarget(t, "zk://"+front.Addr()+"/a/rpc", opts) // the options say TLS too
		if s.shared != again.shared {
			t.Error("handles with one configuration of TLS do not share a session")
		}
		sp := spectate(t, s, target.Path)
		sp.live()
		r := register(t, s, target.Path, instance(8001))
		name := ready(t, r)
		sp.live(8001)
		front.Cut()
		ready(t, register(t, s, target.Path, instance(8002)))
		sp.live(8001, 8002)
		if got := ready(t, r); got != name {
			t.Errorf("got %q after the cut, want %q as before", got, name)
		}
	})
}

// TestTLSOfTheSystem: zks:// alone trusts the system's roots, and so not a registry
// that nobody has vouched for; handles share the session.
func TestTLSOfTheSystem(t *testing.T) {
	leaf := testca.New("registry").Issue(testca.Leaf{Names: []string{"127.0.0.1"}}).TLS()
	front := tlsfront.Start(t, "127.0.0.1:1", &tls.Config{Certificates: []tls.Certificate{leaf}})
	s, target := openTarget(t, "zks://"+front.Addr()+"/rpc", Options{})
	again, _ := openTarget(t, target.String(), Options{})
	plain, _ := openTarget(t, "zk://"+front.Addr()+"/rpc", Options{})
	if s.shared != again.shared || s.shared == plain.shared {
		t.Errorf("got zks:// shared %v, with zk:// %v, want true and false", s.shared == again.shared, s.shared == plain.shared)
	}
	sp := spectate(t, s, target.Path)
	sp.until("an unknown authority", func(u discovery.Update) bool {
		var unknown x509.UnknownAuthorityError
		return u.Source == discovery.SourceNone && errors.As(u.Err, &unknown)
	})
}

func TestOpenTargetRefuses(t *testing.T) {
	var typed *discovery.TargetError
	for _, target := range []discovery.Target{{}, {Scheme: discovery.SchemeStatic, Hosts: []string{"a:1"}}} {
		if _, err := OpenTarget(target, Options{}); !errors.As(err, &typed) || typed.Field != "scheme" {
			t.Errorf("%v: got %v, want an error of the scheme", target, err)
		}
	}
}
