// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package realtest_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rollcall-rpc/rollcall/internal/realtest"
)

func TestApache(t *testing.T) {
	zoo := realtest.Apache(t)
	addr := zoo.Addr()
	if got := zoo.Command("ruok"); got != "imok" {
		t.Errorf("ruok = %q, want imok", got)
	}
	zoo.Stop()
	if conn, err := net.Dial("tcp", addr); err == nil {
		conn.Close()
		t.Error("the port is open after Stop")
	}
	zoo.Start()
	zoo.Kill()
	zoo.StartEmpty()
	if zoo.Addr() != addr {
		t.Errorf("the address is %s after a restart, want %s", zoo.Addr(), addr)
	}
	if got := zoo.Command("srvr"); !strings.Contains(got, "Zxid: 0x0\n") {
		t.Errorf("srvr after StartEmpty = %q, want a zxid of 0", got)
	}
}

func TestKazoo(t *testing.T) {
	path := realtest.Kazoo(t)
	if !filepath.IsAbs(path) {
		t.Errorf("Kazoo = %q, want an absolute path", path)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

// recorder is a testing.TB that notes how a test ends instead of ending it.
type recorder struct {
	testing.TB
	skipped, failed bool
}

func (r *recorder) Helper()               {}
func (r *recorder) Skipf(string, ...any)  { r.skipped = true }
func (r *recorder) Fatalf(string, ...any) { r.failed = true }

func TestRequire(t *testing.T) {
	tests := []struct {
		env             string
		ok              bool
		skipped, failed bool
	}{
		{"", true, false, false},
		{"all", true, false, false},
		{"", false, true, false},
		{"all", false, false, true},
	}
	for _, tt := range tests {
		t.Setenv(realtest.RequireVariable, tt.env)
		r := &recorder{TB: t}
		realtest.Require(r, "thing", tt.ok, "install it")
		if r.skipped != tt.skipped || r.failed != tt.failed {
			t.Errorf("%q, ok %v: skipped %v, failed %v; want %v, %v", tt.env, tt.ok, r.skipped, r.failed, tt.skipped, tt.failed)
		}
	}
}
