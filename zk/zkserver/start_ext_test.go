// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package zkserver_test

import (
	"net"
	"strings"
	"testing"

	"github.com/rollcall-rpc/rollcall/zk/zkserver"
)

// A target leads to the registry, whatever address it listens on.
func TestStartTarget(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "0.0.0.0:0", "[::1]:0", "[::]:0"} {
		r, err := zkserver.Start(address, zkserver.Options{})
		if err != nil {
			if strings.Contains(address, "::") { // a machine without IPv6
				continue
			}
			t.Fatal(err)
		}
		hosts, ok := strings.CutPrefix(strings.TrimSuffix(r.Target("/rpc"), "/rpc"), "zk://")
		to, err := net.ResolveTCPAddr("tcp", hosts)
		if !ok || err != nil || !to.IP.IsLoopback() {
			t.Fatalf("%s, which is %s: got %s, %v", address, r.Addr(), r.Target("/rpc"), err)
		}
		if got := ask(to, "ruok"); got != "imok" {
			t.Errorf("%s: got %q", to, got)
		}
		r.Close()
	}
}

// Close frees the port, also where it comes before the serving has begun.
func TestStartClose(t *testing.T) {
	address := "127.0.0.1:0"
	for range 100 {
		r, err := zkserver.Start(address, zkserver.Options{})
		if err != nil {
			t.Fatal(err)
		}
		address = r.Addr()
		for range 2 {
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}
