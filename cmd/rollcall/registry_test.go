// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net"
	"strings"
	"testing"

	"github.com/rollcall-rpc/rollcall"
)

func TestRegistry(t *testing.T) {
	registry := begin(t, "registry", "--memory", "--listen", "127.0.0.1:0", "--tick", "100ms", "--verbose")
	ready := line(t, registry.stdout)
	addr, ok := strings.CutPrefix(ready, "registry ready on ")
	if _, port, err := net.SplitHostPort(addr); !ok || err != nil || port == "0" {
		t.Fatalf("got %q, want the address it is ready on", ready)
	}
	go registry.stderr.WriteTo(discard{}) //nolint:errcheck // it ends with the command

	target := "zk://" + addr + "/rpc"
	one := serve(t, rollcall.ServerOptions{Registry: target})
	command(t, "ls", target).check(t, statusOK, []string{one.entry, one.addr}, nil)
	command(t, "registry", "--memory", "--listen", addr).check(t, statusFailure, nil, []string{"rollcall: registry: listen tcp " + addr, "in use"})
	registry.stop()
	if got := registry.status(); got != statusOK {
		t.Errorf("exit status %d, want %d", got, statusOK)
	}
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }
