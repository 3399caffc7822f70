// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package realtest

import (
	"os/exec"
	"sync"
	"testing"
)

const python = "/usr/bin/python3"

var hasKazoo = sync.OnceValue(func() bool {
	return exec.Command(python, "-c", "import kazoo.client").Run() == nil
})

// Kazoo returns the path of a Python interpreter that can import kazoo.
func Kazoo(t testing.TB) string {
	t.Helper()
	Require(t, "kazoo", hasKazoo(), "install the Debian package python3-kazoo")
	return python
}
