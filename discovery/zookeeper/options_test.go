// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zookeeper

import (
	"crypto/tls"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-rpc/rollcall/zk"
)

func TestOptionsCheck(t *testing.T) {
	good := []Options{
		{},
		{Resync: -1, MinUpdateInterval: -1, SessionTimeout: time.Millisecond, ACL: []zk.ACL{}},
		{ACL: zk.CreatorAll(), Auths: []zk.Auth{{Scheme: "digest"}}},
		{ACL: []zk.ACL{{Perms: zk.PermAdmin, Scheme: "auth"}, {Perms: zk.PermRead, Scheme: "world", ID: "anyone"}}},
	}
	for _, o := range good {
		if err := o.Check(); err != nil {
			t.Errorf("%+v: %v", o, err)
		}
	}
	tests := []struct {
		o    Options
		want string
	}{
		{Options{SessionTimeout: -time.Second}, "ZooKeeper.SessionTimeout is -1s: give 1 ms to 596h31m23.647s, or 0 for 10s"},
		{Options{SessionTimeout: 1 << 62}, "ZooKeeper.SessionTimeout is"},
		{Options{ConnectTimeout: time.Microsecond}, "ZooKeeper.ConnectTimeout is 1µs: give 1 ms to 596h31m23.647s, or 0 for 1s"},
		{Options{Auths: []zk.Auth{{Scheme: "digest"}, {}}}, "ZooKeeper.Auths[1].Scheme is empty"},
		{Options{ACL: []zk.ACL{{Perms: zk.PermAll}}}, "ZooKeeper.ACL[0].Scheme is empty"},
		{Options{ACL: []zk.ACL{{Scheme: "world", ID: "anyone"}}}, "ZooKeeper.ACL[0].Perms is 0"},
		{Options{ACL: []zk.ACL{{Perms: 32, Scheme: "world", ID: "anyone"}}}, "ZooKeeper.ACL[0].Perms is 32"},
		{Options{ACL: []zk.ACL{{Perms: zk.PermCreate, Scheme: "auth"}}}, "ZooKeeper.ACL lets nobody read"},
	}
	var all Options
	for _, test := range tests {
		err := test.o.Check()
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v, want an error with %q", err, test.want)
		}
		all.SessionTimeout = min(all.SessionTimeout, test.o.SessionTimeout)
		all.Auths, all.ACL = append(all.Auths, test.o.Auths...), append(all.ACL, test.o.ACL...)
	}
	// Everything that is wrong is told at once, a problem each.
	_, err := Open([]string{"127.0.0.1:1"}, all)
	for _, want := range []string{"SessionTimeout is", "Auths[1]", "ACL[0].Scheme", "ACL[1].Perms", "ACL[2].Perms"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q too", err, want)
		}
	}
	joined, ok := all.Check().(interface{ Unwrap() []error })
	if !ok || len(joined.Unwrap()) != 5 {
		t.Errorf("got %v, want five problems joined", all.Check())
	}
}

// TestWhatIsShared: handles share a session where everything that makes a
// difference to it is equal.
func TestWhatIsShared(t *testing.T) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	base := Options{TLS: config, Auths: []zk.Auth{{Scheme: "digest", Data: []byte(t.Name() + ":x")}}}
	tests := []struct {
		what   string
		change func(*Options)
		want   bool
	}{
		{"nothing", func(*Options) {}, true},
		{"a default that is written", func(o *Options) { o.SessionTimeout, o.Resync = zk.DefaultSessionTimeout, DefaultResync }, true},
		{"ACL", func(o *Options) { o.ACL = zk.WorldAnyone() }, true},
		{"Logger", func(o *Options) { o.Logger = slog.Default() }, true},
		{"SessionTimeout", func(o *Options) { o.SessionTimeout = time.Second }, false},
		{"ConnectTimeout", func(o *Options) { o.ConnectTimeout = time.Minute }, false},
		{"Auths", func(o *Options) { o.Auths = nil }, false},
		{"TLS of equal content", func(o *Options) { o.TLS = config.Clone() }, false},
		{"no TLS", func(o *Options) { o.TLS = nil }, false},
		{"Dial", func(o *Options) { o.Dial = new(net.Dialer).DialContext }, false},
		{"Resync", func(o *Options) { o.Resync = time.Hour }, false},
		{"MinUpdateInterval", func(o *Options) { o.MinUpdateInterval = time.Second }, false},
	}
	servers := []string{"127.0.0.1:1"}
	first, err := Open(servers, base)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	for _, test := range tests {
		opts := base
		test.change(&opts)
		other, err := Open(servers, opts)
		if err != nil {
			t.Fatal(err)
		}
		if got := other.shared == first.shared; got != test.want {
			t.Errorf("another %s: got shared %v, want %v", test.what, got, test.want)
		}
		if err := other.Close(); err != nil {
			t.Error(err)
		}
	}
}
