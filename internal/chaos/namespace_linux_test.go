// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"errors"
	"io"
	"net"
	"testing"
)

// A process in its namespace reaches the other end of the cable until that is
// cut, and nothing of either is left behind.
func TestNamespace(t *testing.T) {
	if reason := namespaces(nil); reason != "" {
		t.Skip(reason)
	}
	ns, err := newNamespace()
	var refused *notPermittedError
	if errors.As(err, &refused) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer ns.close()
	p, err := start(ns.wrap([]string{"sh", "-c", "echo inside && exec cat"}), io.Discard, ns.attr)
	if err != nil {
		t.Skip(err)
	}
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
