// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package realtest_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/rollcall-rpc/rollcall/internal/realtest"
)

// TestCommandLines has both command lines make a node of one server.
func TestCommandLines(t *testing.T) {
	zoo := realtest.Apache(t)
	tests := []struct {
		name, script string
		make         func(testing.TB, string) *exec.Cmd
		want         string
	}{
		{"java", "create /java x\nquit\n", realtest.JavaCLI, "Created /java\n"},
		// The node's answer is waited for by exists, whose request is behind.
		{"c", "create /c\nexists /c\nquit\n", realtest.CCLI, "name = /c\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cmd := tt.make(t, zoo.Addr())
			cmd.Stdin = strings.NewReader(tt.script)
			out, err := cmd.CombinedOutput()
			if err != nil || !strings.Contains(string(out), tt.want) {
				t.Errorf("got %v and no %q in:\n%s", err, tt.want, out)
			}
		})
	}
}
