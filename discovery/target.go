// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/rollcall-rpc/rollcall/internal/zkpath"
)

// The schemes of a target.
const (
	SchemeZooKeeper = "zk"
	SchemeStatic    = "static"
)

// A Target is the address of a service: which registry knows its instances and
// where, or the instances themselves.
//
//	zk://host:port[,host:port…]/path
//	zks://host:port[,host:port…]/path
//	static://host:port[,host:port…]
//
// zks:// is zk:// to servers that speak TLS: the same Scheme with TLS set, so that
// who asks for the scheme need not know both.
type Target struct {
	Scheme string   // SchemeZooKeeper or SchemeStatic
	TLS    bool     // zks://: never speak to the registry without TLS; false with SchemeStatic
	Hosts  []string // "host:port" each, IPv6 addresses in brackets; at least one
	Path   string   // the service's directory in ZooKeeper, "/rpc"; empty with SchemeStatic
}

// tlsScheme is written for SchemeZooKeeper with TLS.
const tlsScheme = "zks"

// A TargetError says what is wrong with a target.
type TargetError struct {
	Target string // as given
	Field  string // "scheme", "host", "port" or "path"
	Value  string // the part that is wrong
	Fix    string // what is expected
}

// Error names the target, the field, the value and the fix.
func (e *TargetError) Error() string {
	return fmt.Sprintf("target %q: %s %q: %s", e.Target, e.Field, e.Value, e.Fix)
}

// String returns the target as [ParseTarget] reads it.
func (t Target) String() string {
	scheme := t.Scheme
	if t.TLS {
		scheme = tlsScheme
	}
	return scheme + "://" + strings.Join(t.Hosts, ",") + t.Path
}

// ParseTarget reads a target. Its errors are *TargetError. The port must be
// written, for a default would differ between registries and servers. A
// trailing slash of the path is dropped.
func ParseTarget(s string) (Target, error) {
	fail := func(field, value, fix string) (Target, error) { //nolint:unparam // it is what ParseTarget returns
		return Target{}, &TargetError{Target: s, Field: field, Value: value, Fix: fix}
	}
	scheme, rest, found := strings.Cut(s, "://")
	t := Target{Scheme: scheme}
	switch {
	case !found:
		return fail("scheme", s, schemeFix)
	case scheme == tlsScheme:
		t.Scheme, t.TLS = SchemeZooKeeper, true
	case scheme != SchemeZooKeeper && scheme != SchemeStatic:
		return fail("scheme", scheme, schemeFix)
	}
	hosts, path := rest, ""
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		hosts, path = rest[:i], rest[i:]
	}
	for host := range strings.SplitSeq(hosts, ",") {
		if field, fix := checkHost(host); field != "" {
			return fail(field, host, fix)
		}
		if slices.Contains(t.Hosts, host) {
			return fail("host", host, "this host is listed twice: write it once")
		}
		t.Hosts = append(t.Hosts, host)
	}
	if t.Scheme == SchemeStatic {
		if path != "" && path != "/" {
			return fail("path", path, "a static target has no path")
		}
		return t, nil
	}
	if path == "" {
		return fail("path", path, "write the service's directory behind the hosts, as in "+scheme+"://127.0.0.1:2181/rpc")
	}
	clean, err := zkpath.Clean(path)
	if err != nil {
		return fail("path", path, err.Error())
	}
	t.Path = clean
	return t, nil
}

const schemeFix = "write zk://host:port[,host:port…]/path, zks:// where the registry speaks TLS, or static://host:port[,host:port…]"

// checkHost tells which field of "host:port" is wrong and what is expected; an
// empty field: nothing is.
func checkHost(s string) (field, fix string) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return "host", "write host:port, and an IPv6 address in brackets"
	}
	if host == "" {
		return "host", "write a name or an address before the colon"
	}
	if fix := checkHostName(host); fix != "" {
		return "host", fix
	}
	if s[0] == '[' && !strings.Contains(host, ":") {
		return "host", "brackets hold an IPv6 address, and this is none"
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || port[0] == '0' {
		return "port", PortFix
	}
	return "", ""
}
