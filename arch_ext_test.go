// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package rollcall_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/rollcall-rpc/rollcall"

// layers is the table of the house: what each package of ours may import of
// ours. "*" is anything public or internal.
var layers = map[string][]string{
	"frame":               {},
	"zk/jute":             {},
	"discovery":           {"internal/zkpath"},
	"discovery/layout":    {"discovery"},
	"balancer":            {"discovery"},
	"internal/transport":  {"frame", "internal/loglimit", "internal/printable"},
	"internal/loglimit":   {},
	"internal/overload":   {},
	"internal/printable":  {},
	"internal/memnet":     {},
	"internal/execlog":    {"frame"},
	"internal/chaos":      {"", "frame", "balancer", "discovery", "discovery/zookeeper", "zk", "internal/execlog", "internal/load", "internal/pause"},
	"internal/load":       {"internal/pause"},
	"internal/pause":      {},
	"internal/dialer":     {"internal/shortage"},
	"internal/shortage":   {},
	"internal/simulation": {"balancer", "discovery"},
	"internal/realtest":   {},
	"internal/reload":     {},
	"internal/testca":     {},
	"internal/tlsfront":   {},
	"tlsfiles":            {"internal/reload"},
	"internal/zkpath":     {},
	"zk":                  {"zk/jute", "internal/dialer", "internal/pause", "internal/zkpath", "tlsfiles"},
	"zk/internal/hook":    {"zk/jute"},
	"zk/zkserver":         {"internal/loglimit", "internal/shortage", "zk/jute", "zk/internal/hook", "zk/zkserver/internal/tree", "zk/zkserver/store"},
	"zk/zkserver/store":   {"zk/jute"},
	"zk/zktest":           {"zk", "zk/jute", "zk/internal/hook", "zk/zkserver"},
	"discovery/zookeeper": {"discovery", "discovery/layout", "zk", "internal/pause", "internal/zkpath"},
	"auth":                {"", "internal/reload"},
	"members":             {"balancer", "discovery"},
	"": {
		"frame", "discovery", "balancer", "members", "internal/transport", "zk", "discovery/zookeeper",
		"internal/dialer", "internal/loglimit", "internal/overload", "internal/pause", "internal/printable", "internal/shortage", "tlsfiles",
	},
	"zk/zkserver/internal/tree":    {"zk/jute"},
	"zk/zkserver/internal/crashfs": {"zk/zkserver/store"},
	"rollcalltest":                 {"", "discovery", "internal/memnet"},
	"examples/divide":              {"*"},
	"examples/divide/server":       {"*"},
	"examples/divide/client":       {"*"},
	"examples/divide/internal/cli": {"*"},
	"examples/hello":               {"*"},
	"examples/inventory":           {"*"},
	"examples/inventory/server":    {"*"},
	"examples/inventory/front":     {"*"},
	"cmd/rollcall":                 {"*"},
}

// libraryModules are the third-party modules that users of the library inherit.
var libraryModules = []string{"google.golang.org/protobuf", "golang.org/x"}

// beyondLibrary are the packages that may import further modules.
var beyondLibrary = []string{"cmd/rollcall"}

// nested are the directories with a go.mod of their own.
var nested = []string{"bench", "conformance"}

// goFiles calls f with every Go file of the module and its package's directory.
func goFiles(t *testing.T, f func(file, dir string)) {
	t.Helper()
	allGoFiles(t, func(file, dir string) {
		if !slices.Contains(nested, strings.Split(dir, "/")[0]) {
			f(file, dir)
		}
	})
}

// allGoFiles is goFiles with the nested modules.
func allGoFiles(t *testing.T, f func(file, dir string)) {
	t.Helper()
	only(t, "it reads the sources", "tcp")
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && ((p != "." && strings.HasPrefix(d.Name(), ".")) || d.Name() == "testdata") {
			return fs.SkipDir
		}
		if strings.HasSuffix(p, ".go") {
			dir := path.Dir(filepath.ToSlash(p))
			if dir == "." {
				dir = ""
			}
			f(p, dir)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func parseFile(t *testing.T, file string, mode parser.Mode) *ast.File {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, mode)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// TestLayers holds the table: a package imports only what its row names.
func TestLayers(t *testing.T) {
	seen := map[string]bool{}
	goFiles(t, func(file, dir string) {
		seen[dir] = true
		allowed, ok := layers[dir]
		if !ok {
			t.Errorf("%s: package %q has no row in the table of layers", file, dir)
			return
		}
		if strings.HasSuffix(file, "_test.go") {
			return // a test may look at its package from above
		}
		for _, spec := range parseFile(t, file, parser.ImportsOnly).Imports {
			imported := strings.Trim(spec.Path.Value, `"`)
			if ours, ok := strings.CutPrefix(imported, module+"/"); ok || imported == module {
				if imported == module {
					ours = ""
				}
				if !slices.Contains(allowed, ours) && !slices.Contains(allowed, "*") {
					t.Errorf("%s imports %q: the layer of %q allows %q", file, imported, dir, allowed)
				}
				continue
			}
			if !strings.Contains(strings.Split(imported, "/")[0], ".") || slices.Contains(beyondLibrary, dir) {
				continue
			}
			if !slices.ContainsFunc(libraryModules, func(m string) bool { return imported == m || strings.HasPrefix(imported, m+"/") }) {
				t.Errorf("%s imports %q: users of the library would inherit it", file, imported)
			}
		}
	})
	for dir := range layers {
		if !seen[dir] {
			t.Errorf("the table of layers has a row for %q, which has no Go file", dir)
		}
	}
}

// TestLayersAcyclic checks the table itself.
func TestLayersAcyclic(t *testing.T) {
	state := map[string]int{} // 1: on the way down, 2: done
	var visit func(dir string)
	visit = func(dir string) {
		if state[dir] == 1 {
			t.Errorf("the table of layers has a cycle through %q", dir)
		}
		if state[dir] != 0 {
			return
		}
		state[dir] = 1
		for _, below := range layers[dir] {
			visit(below)
		}
		state[dir] = 2
	}
	for dir := range layers {
		visit(dir)
	}
}

// TestLicence demands the licence of every file.
func TestLicence(t *testing.T) {
	want := []byte("// Copyright The Rollcall Authors\n// SPDX-License-Identifier: Apache-2.0\n")
	goFiles(t, func(file, _ string) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(data, want) {
			t.Errorf("%s does not begin with the licence", file)
		}
	})
}

// TestNoRealSleep allows time.Sleep only where the clock is a fake one: in tests
// that import testing/synctest.
func TestNoRealSleep(t *testing.T) {
	goFiles(t, func(file, _ string) {
		parsed := parseFile(t, file, parser.SkipObjectResolution)
		fake := strings.HasSuffix(file, "_test.go") && slices.ContainsFunc(parsed.Imports, func(s *ast.ImportSpec) bool {
			return s.Path.Value == `"testing/synctest"`
		})
		if fake {
			return
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if pkg, ok := sel.X.(*ast.Ident); ok && pkg.Name == "time" && sel.Sel.Name == "Sleep" {
				t.Errorf("%s calls time.Sleep: wait for the event, or use testing/synctest", file)
			}
			return true
		})
	})
}

// TestNoInit forbids init functions: values are passed, not registered. What
// protoc-gen-go generates has one.
func TestNoInit(t *testing.T) {
	goFiles(t, func(file, _ string) {
		parsed := parseFile(t, file, parser.SkipObjectResolution|parser.ParseComments)
		if ast.IsGenerated(parsed) {
			return
		}
		for _, decl := range parsed.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s has an init function", file)
			}
		}
	})
}

// TestFileSize keeps files to one noun.
func TestFileSize(t *testing.T) {
	const most = 600
	goFiles(t, func(file, _ string) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(data, []byte("\n")); n > most {
			t.Errorf("%s has %d lines, more than %d: split it by noun", file, n, most)
		}
	})
}
