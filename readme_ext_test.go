// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestReadmeCode builds what the README tells newcomers to paste.
func TestReadmeCode(t *testing.T) {
	only(t, "it compiles the README", "tcp")
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllSubmatch(readme, -1)
	if len(blocks) == 0 {
		t.Fatal("the README has no Go code")
	}
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range blocks {
		dir := t.TempDir()
		source, overlay := filepath.Join(dir, "readme.go"), filepath.Join(dir, "overlay.json")
		if err := os.WriteFile(source, block[1], 0o600); err != nil {
			t.Fatal(err)
		}
		// The overlay puts the code into the module without writing there.
		mapping, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(here, "readme", "readme.go"): source}})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(overlay, mapping, 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("go", "build", "-o", os.DevNull, "-overlay", overlay, "./readme").CombinedOutput(); err != nil {
			t.Errorf("%v\n%s\n%s", err, out, block[1])
		}
	}
}

// TestReadmeHello holds that the README shows examples/hello as it is, but for the
// licence.
func TestReadmeHello(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("examples/hello/main.go")
	if err != nil {
		t.Fatal(err)
	}
	_, code, _ := strings.Cut(string(source), "\n\n")
	if !strings.Contains(string(readme), "```go\n"+code+"```\n") {
		t.Error("the README does not show examples/hello/main.go as it is: copy the file, without the licence, over its code")
	}
}
