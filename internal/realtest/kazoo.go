// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package realtest

import (
	"context"
	"os/exec"
	"sync"
	"testing"
)

const python = "/usr/bin/python3"

var (
	hasKazoo    = sync.OnceValue(func() bool { return imports("kazoo.client") })
	hasPureSASL = sync.OnceValue(func() bool { return imports("puresasl.client") })
)

// imports reports whether the interpreter has a module.
func imports(module string) bool {
	return exec.CommandContext(context.Background(), python, "-c", "import "+module).Run() == nil //nolint:gosec // the modules are named here
}

// Kazoo returns the path of a Python interpreter that can import kazoo.
func Kazoo(t testing.TB) string {
	t.Helper()
	Require(t, "kazoo", hasKazoo(), "install the Debian package python3-kazoo")
	return python
}

// PureSASL skips the test where kazoo cannot authenticate by SASL.
func PureSASL(t testing.TB) {
	t.Helper()
	Require(t, "puresasl", hasPureSASL(), "install the Debian package python3-pure-sasl")
}
