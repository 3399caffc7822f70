// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"errors"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/rollcall-rpc/rollcall/internal/realtest"
)

// A process in its namespace reaches the other end of the cable until that is
// cut, and nothing of either is left behind.
func TestNamespace(t *testing.T) {
	reason := namespaces(nil)
	realtest.Require(t, "the right to make network namespaces", reason == "", reason)
	ns, err := newNamespace()
	var refused *notPermittedError
	realtest.Require(t, "the right to make network devices", !errors.As(err, &refused), fmt.Sprint(err))
	if err != nil {
		t.Fatal(err)
	}
	defer ns.close()
	p, err := start(ns.wrap([]string{"sh", "-c", "echo inside && exec cat"}), io.Discard, ns.attr)
	realtest.Require(t, "the right to make network namespaces", err == nil, fmt.Sprint(err))
	defer p.kill()
	if err := ns.enter(p); err != nil {
		t.Fatal(err)
	}
	if _, err := p.expect(t.Context(), "inside"); err != nil {
		t.Fatal(err)
	}
	for _, do := range []func() error{ns.cut, ns.mend} {
		if err := do(); err != nil {
			t.Fatal(err)
		}
	}
	ns.close()
	if _, err := net.InterfaceByName(ns.device); err == nil {
		t.Errorf("%s is left", ns.device)
	}
}
