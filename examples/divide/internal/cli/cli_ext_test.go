// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package cli_test

import (
	"strings"
	"testing"

	"github.com/rollcall-rpc/rollcall/examples/divide/internal/cli"
)

func TestRegistry(t *testing.T) {
	tests := []struct{ env, args, want string }{
		{"", "", "zk://127.0.0.1:2181/rpc"},
		{"zk://a:1/b", "", "zk://a:1/b"},
		{"zk://a:1/b", "-registry zk://c:2/d", "zk://c:2/d"},
	}
	for _, tt := range tests {
		t.Setenv(cli.RegistryVariable, tt.env)
		flags := cli.NewFlags("test", "Usage: test")
		status, done := flags.Parse(strings.Fields(tt.args), t.Output(), t.Output(), func() error { return nil })
		if status != cli.StatusOK || done || flags.Registry != tt.want {
			t.Errorf("%s=%q %s: registry %q, status %d, done %v, want %q", cli.RegistryVariable, tt.env, tt.args, flags.Registry, status, done, tt.want)
		}
	}
}
