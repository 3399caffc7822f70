// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"os"
	"regexp"
	"strings"
	"testing"
)

// The document of failure modes names tests that exist, and its ids ascend: none is
// used twice.
func TestFailureModes(t *testing.T) {
	tests := map[string]bool{}
	goFiles(t, func(file, _ string) {
		if !strings.HasSuffix(file, "_test.go") {
			return
		}
		for _, decl := range parseFile(t, file, parser.SkipObjectResolution).Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil {
				tests[f.Name.Name] = true
			}
		}
	})
	text, err := os.ReadFile("docs/failure-modes.md")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`\bTest[A-Z]\w*`)
	last := 0
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "| FM-") {
			continue
		}
		id := 0
		if _, err := fmt.Sscanf(line, "| FM-%d |", &id); err != nil || id <= last {
			t.Errorf("row %q: want an id above FM-%02d", line, last)
		}
		last = id
		names := named.FindAllString(line, -1)
		if len(names) == 0 {
			t.Errorf("row %q names no test", line)
		}
		for _, name := range names {
			if !tests[name] {
				t.Errorf("row %q names %s, which is no test", line, name)
			}
		}
	}
	if last == 0 {
		t.Error("no rows")
	}
}
