// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall

import (
	"net"
	"strconv"
	"strings"
	"testing"
)

func TestAdvertise(t *testing.T) {
	tcp := func(addr string) net.Addr {
		a, err := net.ResolveTCPAddr("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	onLoopback := []string{"127.0.0.1:2181"}
	tests := []struct {
		name     string
		given    string
		listener net.Addr
		registry []string
		want     string // "host port reason"
		err      string
	}{
		{"as given", "db1.example:9000", tcp("127.0.0.1:8001"), nil, "db1.example 9000 as given", ""},
		{"host only", "db1.example", tcp("0.0.0.0:8001"), nil, "db1.example 8001 as given", ""},
		{"bare IPv6", "2001:db8::1", tcp("[::]:8001"), nil, "2001:db8::1 8001 as given", ""},
		{"IPv6 and port", "[2001:db8::1]:9", tcp("[::]:8001"), nil, "2001:db8::1 9 as given", ""},
		{"loopback as given", "127.0.0.1", tcp("0.0.0.0:8001"), nil, "127.0.0.1 8001 as given", ""},
		{"specific listener", "", tcp("127.0.0.1:8001"), nil, "127.0.0.1 8001 the listener's address", ""},
		{"derived on loopback", "", tcp("0.0.0.0:8001"), onLoopback, "127.0.0.1 8001 reaches the registry at 127.0.0.1:2181", ""},
		{"nothing to derive from", "", tcp("0.0.0.0:8001"), nil, "", "not specific"},
		{"not TCP", "", &net.UnixAddr{Name: "/x", Net: "unix"}, onLoopback, "", "not TCP"},
		{"unspecified", "0.0.0.0", tcp("0.0.0.0:8001"), nil, "", "unspecified"},
		{"unspecified IPv6", "[::]:1", tcp("0.0.0.0:8001"), nil, "", "unspecified"},
		{"link-local", "fe80::1", tcp("0.0.0.0:8001"), nil, "", "link-local"},
		{"zone", "[fe80::1%eth0]:1", tcp("0.0.0.0:8001"), nil, "", "without a zone"},
		{"bad port", "x:http", tcp("0.0.0.0:8001"), nil, "", "1 to 65535"},
		{"no host", ":80", tcp("0.0.0.0:8001"), nil, "", "host:port"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			host, port, reason, err := advertise(t.Context(), tt.given, tt.listener, tt.registry)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("got %s %d, %v, want an error that says %q", host, port, err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := strings.SplitN(tt.want, " ", 3)
			if host != want[0] || reason != want[2] || want[1] != strconv.Itoa(port) {
				t.Errorf("got %s %d %s, want %s", host, port, reason, tt.want)
			}
		})
	}
	if err := checkAdvertised("127.0.0.1", "the address", false); err == nil {
		t.Error("a loopback address that nobody wrote is accepted for a registry elsewhere")
	}
}
