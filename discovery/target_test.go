// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseTarget(t *testing.T) {
	tests := []struct {
		in   string
		want Target
	}{
		{"zk://127.0.0.1:2181/rpc", Target{Scheme: SchemeZooKeeper, Hosts: []string{"127.0.0.1:2181"}, Path: "/rpc"}},
		{"zk://a:1,b:2,[::1]:3/x/y/", Target{Scheme: SchemeZooKeeper, Hosts: []string{"a:1", "b:2", "[::1]:3"}, Path: "/x/y"}},
		{"zk://a:1/", Target{Scheme: SchemeZooKeeper, Hosts: []string{"a:1"}, Path: "/"}},
		{"zk://a:1/ä b?c", Target{Scheme: SchemeZooKeeper, Hosts: []string{"a:1"}, Path: "/ä b?c"}},
		{"zks://a:1,b:2/rpc/", Target{Scheme: SchemeZooKeeper, TLS: true, Hosts: []string{"a:1", "b:2"}, Path: "/rpc"}},
		{"static://a:1", Target{Scheme: SchemeStatic, Hosts: []string{"a:1"}}},
		{"static://a_b.c-d:65535,[fe80::1]:2/", Target{Scheme: SchemeStatic, Hosts: []string{"a_b.c-d:65535", "[fe80::1]:2"}}},
	}
	for _, test := range tests {
		got, err := ParseTarget(test.in)
		if err != nil {
			t.Errorf("ParseTarget(%q): %v", test.in, err)
			continue
		}
		if diff := cmp.Diff(got, test.want); diff != "" {
			t.Errorf("ParseTarget(%q), got - want +:\n%s", test.in, diff)
		}
	}
}

func TestParseTargetErrors(t *testing.T) {
	tests := []struct{ in, field, value string }{
		{"", "scheme", ""},
		{"127.0.0.1:2181/rpc", "scheme", "127.0.0.1:2181/rpc"},
		{"ZK://a:1/rpc", "scheme", "ZK"},
		{"http://a:1/rpc", "scheme", "http"},
		{"ZKS://a:1/rpc", "scheme", "ZKS"},
		{"zk+tls://a:1/rpc", "scheme", "zk+tls"},
		{"zks://a/rpc", "host", "a"},
		{"zks://a:1", "path", ""},
		{"zks://a:1/a//b", "path", "/a//b"},
		{"zk:///rpc", "host", ""},
		{"zk://a/rpc", "host", "a"},
		{"zk://:1/rpc", "host", ":1"},
		{"zk://a:1,/rpc", "host", ""},
		{"zk://a:1,,b:1/rpc", "host", ""},
		{"zk://a:1,a:1/rpc", "host", "a:1"},
		{"zk://user@a:1/rpc", "host", "user@a:1"},
		{"zk://a b:1/rpc", "host", "a b:1"},
		{"zk://a\x00b:1/rpc", "host", "a\x00b:1"},
		{"zk://a\xffb:1/rpc", "host", "a\xffb:1"},
		{"zk://::1:1/rpc", "host", "::1:1"},
		{"zk://[::1]/rpc", "host", "[::1]"},
		{"zk://[a]:1/rpc", "host", "[a]:1"},
		{"zk://[127.0.0.1]:1/rpc", "host", "[127.0.0.1]:1"},
		{"zk://[::1%25lo]:1/rpc", "host", "[::1%25lo]:1"},
		{"zk://[1::2::3]:1/rpc", "host", "[1::2::3]:1"},
		{"zk://" + strings.Repeat("a", 254) + ":1/rpc", "host", strings.Repeat("a", 254) + ":1"},
		{"zk://a:/rpc", "port", "a:"},
		{"zk://a:0/rpc", "port", "a:0"},
		{"zk://a:080/rpc", "port", "a:080"},
		{"zk://a:+80/rpc", "port", "a:+80"},
		{"zk://a:65536/rpc", "port", "a:65536"},
		{"zk://a:http/rpc", "port", "a:http"},
		{"zk://a:1", "path", ""},
		{"zk://a:1//", "path", "//"},
		{"zk://a:1//rpc", "path", "//rpc"},
		{"zk://a:1/rpc//", "path", "/rpc//"},
		{"zk://a:1/./rpc", "path", "/./rpc"},
		{"zk://a:1/rpc/..", "path", "/rpc/.."},
		{"zk://a:1/r\x00", "path", "/r\x00"},
		{"zk://a:1/r\u0085", "path", "/r\u0085"},
		{"zk://a:1/\U0001f600", "path", "/\U0001f600"},
		{"zk://a:1/\xff", "path", "/\xff"},
		{"static://a:1/rpc", "path", "/rpc"},
	}
	for _, test := range tests {
		_, err := ParseTarget(test.in)
		var got *TargetError
		if !errors.As(err, &got) {
			t.Errorf("ParseTarget(%q): got %v, want a *TargetError", test.in, err)
			continue
		}
		if got.Field != test.field || got.Value != test.value || got.Fix == "" || got.Target != test.in {
			t.Errorf("ParseTarget(%q): got %+v, want field %q, value %q", test.in, *got, test.field, test.value)
		}
		for _, part := range []string{got.Field, got.Fix} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("ParseTarget(%q): %q does not tell %q", test.in, err, part)
			}
		}
	}
}

// FuzzParseTarget checks that what is accepted is printed as it is read, and can
// be used: hosts become instances that pass their own check.
func FuzzParseTarget(f *testing.F) {
	for _, s := range []string{
		"zk://127.0.0.1:2181/rpc", "zk://a:1,[::1]:2/a/b", "static://a:1,b:2", "static://[::ffff:1.2.3.4]:1/",
		"zk://a:1/", "zk://a:1//", "zks://a:1/rpc", "zks://a:1", "zk://[::1%eth0]:1/x", "static://,", "zk://a:1/../b", "://", "static://[x]:1",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		target, err := ParseTarget(s)
		if err != nil {
			if _, ok := errors.AsType[*TargetError](err); !ok {
				t.Fatalf("ParseTarget(%q): %T, want *TargetError", s, err)
			}
			return
		}
		again, err := ParseTarget(target.String())
		if err != nil {
			t.Fatalf("ParseTarget(%q) reads %q, which it refuses: %v", s, target.String(), err)
		}
		if diff := cmp.Diff(again, target); diff != "" {
			t.Fatalf("ParseTarget(%q), read again - first +:\n%s", s, diff)
		}
		static, err := NewStatic(target.Hosts)
		if err != nil {
			t.Fatalf("NewStatic(%q): %v", target.Hosts, err)
		}
		for i := range static.instances {
			in := &static.instances[i]
			if err := in.Check(); err != nil {
				t.Fatalf("NewStatic(%q): %v", target.Hosts, err)
			}
			if in.Addr() != target.Hosts[i] {
				t.Fatalf("got address %q of %q", in.Addr(), target.Hosts[i])
			}
		}
	})
}
